"""Envelope conventions as data.

`DIALECTS` are tried in their order; of several places for one attribute the first that says something counts. Header
names are in lower case, since they are compared without regard to case. docs/dialects.md is made from this.
"""

from __future__ import annotations

import msgspec

from collector.decoding import readings
from collector.decoding.dialect import KEY, Dialect, Marker, header, read_as, value

GENERIC_TRANSACTION = header(
    "correlation-id", "correlationid", "correlation_id", "x-correlation-id", "transaction-id", "x-request-id"
)
GENERIC_ID = header("message-id", "event-id", "eventid")
GENERIC_CAUSES = header("causation-id", "causationid", "parent-id")
GENERIC_TYPE = header("event-type", "eventtype", "type")
GENERIC_SOURCE = header("source")
GENERIC_TIME = header("event-time", "timestamp")
GENERIC_SUBJECT = header("subject")

CLOUDEVENTS_BINARY = Dialect(
    name="CloudEvents binary",
    marker=Marker(headers=("ce_specversion",)),
    transaction=header("ce_correlationid") + GENERIC_TRANSACTION,
    id=header("ce_id"),
    causes=header("ce_causationid"),
    type=header("ce_type"),
    source=header("ce_source"),
    time=header("ce_time"),
    subject=header("ce_subject"),
    note="A null value is a tombstone, and still an event. Several causes are separated by commas.",
    documents="https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md",
)

_CLOUDEVENT = (("specversion", str), ("id", str), ("source", str), ("type", str))

CLOUDEVENTS_STRUCTURED = Dialect(
    name="CloudEvents structured",
    marker=Marker(members=_CLOUDEVENT, content_type="application/cloudevents"),
    transaction=value("correlationid") + GENERIC_TRANSACTION,
    id=value("id"),
    causes=value("causationid"),
    type=value("type"),
    source=value("source"),
    time=value("time"),
    subject=value("subject"),
    trace=value("traceparent"),
    note="The content type decides, whatever its case: `…+json`, `…+avro`, or `application/cloudevents-batch+json`,"
    " which opens into its events; headers that begin with `ce_` do not count then. Without a content type, the members"
    " of the value do.",
    documents="https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md",
)

DAPR = msgspec.structs.replace(
    CLOUDEVENTS_STRUCTURED,
    name="Dapr",
    marker=Marker(members=(*_CLOUDEVENT, ("pubsubname", str))),
    trace=value("traceparent", "traceid"),
    note="`traceid` holds a whole traceparent; ids of zeros only, which Dapr writes without tracing, are none.",
    documents="https://docs.dapr.io/developing-applications/building-blocks/pubsub/pubsub-cloudevents/",
)

FLOWING_RETAIL = msgspec.structs.replace(
    CLOUDEVENTS_STRUCTURED,
    name="flowing-retail",
    marker=Marker(members=(("type", str), ("id", str), ("source", str), ("traceid", str), ("group", str))),
    transaction=value("traceid"),
    causes=(),
    trace=(),
    note="`traceid` names the transaction here; `correlationid` is a workflow engine's own. No content type.",
    documents="https://github.com/berndruecker/flowing-retail",
)

NSERVICEBUS = Dialect(
    name="NServiceBus",
    marker=Marker(prefix="nservicebus."),
    transaction=header("nservicebus.conversationid", reading=readings.guid),
    id=header("nservicebus.messageid", reading=readings.guid),
    causes=header("nservicebus.relatedto", reading=readings.guid),
    type=header("nservicebus.enclosedmessagetypes", reading=readings.dotnet_type),
    source=header("nservicebus.originatingendpoint"),
    time=header("nservicebus.timesent", reading=readings.nservicebus_time),
    note="`NServiceBus.CorrelationId` pairs request and reply; it names no transaction.",
    documents="https://docs.particular.net/nservicebus/messaging/headers",
)

MASSTRANSIT = Dialect(
    name="MassTransit",
    marker=Marker(prefix="mt-"),
    transaction=header("conversationid", reading=readings.guid),
    id=header("messageid", reading=readings.guid),
    type=header("mt-messagetype", reading=readings.urn),
    source=header("mt-source-address"),
    note="`MT-InitiatorId` is the *CorrelationId* of the message that led to this one, not its MessageId: it names no"
    " event, and no cause is taken from it.",
    documents="https://masstransit.io/documentation/concepts/messages",
)

MASSTRANSIT_ENVELOPE = Dialect(
    name="MassTransit envelope",
    marker=Marker(members=(("messageId", str), ("messageType", list), ("message", dict))),
    transaction=value("conversationId", reading=readings.guid),
    id=value("messageId", reading=readings.guid),
    type=value("messageType", reading=readings.urn),
    source=value("sourceAddress"),
    time=value("sentTime"),
    trace=value("headers.MT-Activity-Id"),
    note="`initiatorId`: as with MassTransit's headers.",
    documents="https://masstransit.io/documentation/concepts/messages",
)

AXON_5 = Dialect(
    name="Axon 5",
    marker=Marker(headers=("axon-message-id",)),
    transaction=header("axon-metadata-correlationid"),
    id=header("axon-message-id"),
    causes=header("axon-metadata-causationid"),
    type=header("axon-message-type"),
    time=header("axon-message-timestamp", reading=readings.milliseconds),
    subject=header("axon-message-aggregate-id"),
    note="Without `axon-metadata-traceId`; what Axon 4 calls correlation is turned round.",
    documents="https://docs.axoniq.io/kafka-extension-reference/",
)
AXON_4 = msgspec.structs.replace(
    AXON_5,
    name="Axon 4",
    marker=Marker(headers=("axon-message-id", "axon-metadata-traceid")),
    transaction=header("axon-metadata-traceid"),
    causes=header("axon-metadata-correlationid"),
    note="`correlationId` is the message that led to this one, `traceId` the transaction.",
)

WOLVERINE = Dialect(
    name="Wolverine",
    marker=Marker(headers=("message-type", "conversation-id")),
    transaction=header("correlation-id", reading=readings.guid),
    id=header("id", reading=readings.guid),
    causes=header("conversation-id", reading=readings.guid),
    type=header("message-type"),
    source=header("source"),
    time=header("sent-at", reading=readings.nservicebus_time),
    trace=header("parent-id"),
    note="`conversation-id` means the immediate cause.",
    documents="https://wolverinefx.net/tutorials/interop.html",
)

REBUS = Dialect(
    name="Rebus",
    marker=Marker(headers=("rbs2-msg-id",)),
    transaction=header("rbs2-corr-id", reading=readings.guid),
    id=header("rbs2-msg-id", reading=readings.guid),
    causes=header("rbs2-in-reply-to", reading=readings.guid),
    type=header("rbs2-msg-type", reading=readings.dotnet_type),
    source=header("rbs2-sender-address"),
    time=header("rbs2-senttime"),
    documents="https://github.com/rebus-org/Rebus/wiki/Wire-level-format-of-messages",
)

CAP = Dialect(
    name="DotNetCore.CAP",
    marker=Marker(headers=("cap-msg-id",)),
    transaction=header("cap-corr-id", reading=readings.guid),
    id=header("cap-msg-id", reading=readings.guid),
    type=header("cap-msg-name", "cap-msg-type"),
    time=header("cap-senttime", reading=readings.invariant_time),
    note="The time is written in the sender's culture; where that is another than the invariant one, it is not read.",
    documents="https://cap.dotnetcore.xyz/user-guide/en/cap/messaging/",
)

BRIGHTER = Dialect(
    name="Brighter",
    marker=Marker(headers=("messageid", "messagetype"), without="mt-"),
    transaction=header("correlationid", reading=readings.guid),
    id=header("messageid", reading=readings.guid),
    type=header("topic", "messagetype"),
    time=header("timestamp", reading=readings.little_endian_milliseconds),
    note="`MessageType` says only whether it is a command or an event; the topic names which. MassTransit shares names"
    " with it, and has headers that begin with `MT-`.",
    documents="https://brightercommand.gitbook.io/paramore-brighter-documentation",
)

KURRENT = Dialect(
    name="Kurrent",
    marker=Marker(any_of=("$correlationid", "$causationid")),
    transaction=header("$correlationid"),
    id=header("$eventid") + GENERIC_ID,
    causes=header("$causationid"),
    type=header("$eventtype") + GENERIC_TYPE,
    source=GENERIC_SOURCE,
    time=GENERIC_TIME,
    note="Which property holds the correlation id is configurable there.",
    documents="https://docs.kurrent.io/server/latest/features/streams.html",
)

KURRENT_METADATA = Dialect(
    name="Kurrent metadata",
    marker=Marker(members=(("metadata.$correlationId", str),)),
    transaction=value("metadata.$correlationId"),
    id=value("eventId", "id"),
    causes=value("metadata.$causationId"),
    type=value("eventType", "type"),
    note="As in headers; here the metadata lies in the value.",
    documents="https://docs.kurrent.io/server/latest/features/streams.html",
)

WATERMILL = Dialect(
    name="Watermill",
    marker=Marker(headers=("_watermill_message_uuid",)),
    transaction=header("correlation_id") + GENERIC_TRANSACTION,
    id=header("_watermill_message_uuid"),
    causes=GENERIC_CAUSES,
    type=header("name") + GENERIC_TYPE,
    source=GENERIC_SOURCE,
    time=GENERIC_TIME,
    documents="https://watermill.io/docs/message/",
)

DEBEZIUM = Dialect(
    name="Debezium outbox",
    marker=Marker(topic="outbox.event.", headers=("id",)),
    transaction=GENERIC_TRANSACTION,
    id=header("id"),
    causes=GENERIC_CAUSES,
    type=header("type", "eventtype", "event-type"),
    source=GENERIC_SOURCE,
    time=GENERIC_TIME,
    subject=KEY,
    note="The key is the aggregate's id. Type and transaction are there only where the connector is configured to place"
    " them in headers. Wolverine has a header `id` too, but not these topics.",
    documents="https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html",
)

EVENTUATE = Dialect(
    name="Eventuate Tram",
    marker=Marker(members=(("headers.ID", str), ("payload", str))),
    id=value("headers.ID"),
    causes=value("headers.reply_to_message_id"),
    type=value("headers.event-type", "headers.command_type", "headers.reply_type"),
    time=value("headers.DATE", reading=readings.http_date),
    subject=value("headers.event-aggregate-id"),
    weak=value("headers.command_saga_id", "headers.commandreply_saga_id"),
    weak_note="a saga",
    note="It has no transaction id; within a saga, the saga's id stands for it. `payload` is JSON as text.",
    documents="https://eventuate.io/docs/manual/eventuate-tram/latest/",
)

SPRING = Dialect(
    name="Spring Kafka",
    marker=Marker(any_of=("__typeid__", "kafka_correlationid", "spring_json_header_types")),
    transaction=read_as(readings.json_text, GENERIC_TRANSACTION),
    id=read_as(readings.json_text, GENERIC_ID + header("id")),
    causes=read_as(readings.json_text, GENERIC_CAUSES),
    type=read_as(readings.json_text, GENERIC_TYPE) + header("__typeid__"),
    source=read_as(readings.json_text, GENERIC_SOURCE),
    time=read_as(readings.json_text, GENERIC_TIME),
    weak=header("kafka_correlationid", reading=readings.key_bytes),
    weak_note="request and reply",
    note="`kafka_correlationId` pairs request and reply; it serves only where nothing better is there. Text may stand"
    " in quotes, as JSON.",
    documents="https://docs.spring.io/spring-kafka/reference/kafka/headers.html",
)

GENERIC = Dialect(
    name="generic headers",
    marker=Marker(any_of=tuple(at.name for at in (*GENERIC_TRANSACTION, *GENERIC_ID, *GENERIC_TYPE))),
    transaction=GENERIC_TRANSACTION,
    id=GENERIC_ID,
    causes=GENERIC_CAUSES,
    type=GENERIC_TYPE,
    source=GENERIC_SOURCE,
    time=GENERIC_TIME,
    subject=GENERIC_SUBJECT,
    note="Names that many use and nobody owns; they come last.",
)

TRACED = Dialect("trace context only", Marker(), note="Nothing but a trace context is known of it.")
FAILED = Dialect("failed delivery only", Marker(), note="Only what it says of a failure is known: whose copy it is.")

IN_HEADERS = (
    CLOUDEVENTS_BINARY,
    NSERVICEBUS,
    MASSTRANSIT,
    AXON_4,
    AXON_5,
    WOLVERINE,
    REBUS,
    CAP,
    BRIGHTER,
    KURRENT,
    WATERMILL,
    DEBEZIUM,
)
IN_VALUE = (DAPR, FLOWING_RETAIL, CLOUDEVENTS_STRUCTURED, MASSTRANSIT_ENVELOPE, EVENTUATE, KURRENT_METADATA)
LAST = (SPRING, GENERIC)
DIALECTS = (*IN_HEADERS, *IN_VALUE, *LAST, TRACED, FAILED)
