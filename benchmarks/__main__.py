"""`make bench`: all measurements, one after the other. Each can be run alone: `python -m benchmarks.ingest --help`."""

from benchmarks import decoding, graphs, ingest


def main() -> None:
    print("Building figures")
    graphs.main()
    print("\nDecoding a record")
    decoding.main()
    print("\nIngestion from Apache Kafka")
    ingest.main()


if __name__ == "__main__":
    main()
