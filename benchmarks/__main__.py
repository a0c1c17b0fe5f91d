"""`make bench`: all measurements, one after the other. Each can be run alone: `python -m benchmarks.ingest --help`."""

from benchmarks import decoding, graphs, ingest, mining, sweep


def main() -> None:
    print("Building figures")
    graphs.main()
    print("\nDecoding a record")
    decoding.main()
    print("\nSweeping for overdue transactions")
    sweep.main([])
    print("\nMining")
    mining.main([])
    print("\nIngestion from Apache Kafka")
    ingest.main()


if __name__ == "__main__":
    main()
