"""A small company whose services work by choreography: they know Kafka and CloudEvents, and none knows the whole.

Each service is a process and a page of business rules: `order`, `payment`, `inventory`, `shipping`, `notification`.
`control` plays the customers and breaks things on request. `erp` and `loyalty` are other people's (`outsiders`), and
write as they like. Underneath: `events` (CloudEvents), `service` (how rules are written down), `work` (what a service
has to do, and when), `bus` (Kafka), `loop` (drives them). docs/demo.md draws it.
"""
