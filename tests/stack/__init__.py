"""The local stack that all tests share: real parts, started when a test first needs them."""
