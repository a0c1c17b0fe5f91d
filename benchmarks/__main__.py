"""`make bench`: all measurements, one after the other. Each can be run alone: `python -m benchmarks.ingest --help`."""

from benchmarks import decoding, graphs, ingest, live, mining, pages, sweep


def main() -> None:
    print("Building figures")
    graphs.main()
    print("\nDecoding a record")
    decoding.main()
    print("\nSweeping for overdue transactions")
    sweep.main([])
    print("\nMining")
    mining.main([])
    print("\nPages and the API's lists on ten million events")
    pages.main(["--data", "var/bench-pages"])
    print("\nLive updates")
    live.main([])
    print("\nIngestion from Apache Kafka")
    ingest.main()


if __name__ == "__main__":
    main()
