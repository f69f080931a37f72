"""A client in plain Python, written from proto/README.md and proto/weir/v1/protocol.proto alone.

It shows that these two suffice: it asserts what the page promises and prints a line for each step.
Mend it from the page, not from sources.   PYTHONPATH=OUTPUT_OF_PROTOC page_client.py HOST:PORT"""
import base64, collections, io, os, socket, struct, sys, time
from weir.v1 import protocol_pb2 as pb

HELLO, WELCOME, REQUEST, RESPONSE, PING, PONG, GO_AWAY = range(1, 8)
SEND, SENT, DELIVER, SETTLE, SETTLED, CREDIT, _, RECORDS = range(16, 24)
ACK, NACK, _, EXTEND, STARTED = range(1, 6)
OK, MALFORMED, QUEUE_NOT_FOUND, RECEIPT_INVALID, RECEIPT_EXPIRED = 0, 1, 8, 15, 16
OUT_OF_ORDER_SEQUENCE, MIB = 19, 1 << 20
Grant = collections.namedtuple("Grant", "alias first_index span count lease_ms grant nonce "
                               "base_offset base_timestamp attempts failures losses generation "
                               "origin records")

def crc32c(data):
    crc = 0xFFFFFFFF
    for bit in range(8 * len(data)):
        crc ^= data[bit // 8] >> bit % 8 & 1
        crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF

def varint(number):
    number = number << 1 ^ number >> 63
    more = range(0, max(number.bit_length() - 7, 0), 7)
    return bytes([*(number >> at & 0x7F | 0x80 for at in more), number >> 7 * len(more)])

def take_varint(stream):
    number = shift = 0
    while (byte := stream.read(1)[0]) > 0x7F:
        number, shift = number | (byte & 0x7F) << shift, shift + 7
    number |= byte << shift
    return number >> 1 ^ -(number & 1)

def record(index, value):
    header = varint(1) + varint(1) + b"n" + varint(-1)
    body = b"\0" + varint(0) + varint(index) + varint(-1) + varint(len(value)) + value + header
    return varint(len(body)) + body

def batch(*values, producer=(-1, -1), sequence=-1):
    now, count = int(time.time() * 1000), len(values)
    summed = struct.pack(">HiqqqhiI", 0, count - 1, now, now, *producer, sequence, count)
    summed += b"".join(record(index, value) for index, value in enumerate(values))
    return struct.pack(">qiiBI", 0, 9 + len(summed), 0, 2, crc32c(summed)) + summed

def records_of(data):
    """The records, as (offset delta, value)."""
    stream, records = io.BytesIO(data), []
    while stream.tell() < len(data):
        end = take_varint(stream) + stream.tell()
        stream.read(1), take_varint(stream)  # 0, delta of time
        place = take_varint(stream)
        stream.read(max(take_varint(stream), 0))  # key
        records.append((place, stream.read(take_varint(stream))))
        stream.seek(end)
    return records

def cut_batches(data):
    """The records of the whole batches at the front, as (offset, value), and the bytes behind."""
    records = []
    while len(data) >= 61 and len(data) >= (size := 12 + struct.unpack_from(">i", data, 8)[0]):
        base, _, _, magic, crc = struct.unpack_from(">qiiBI", data)
        assert magic == 2 and crc == crc32c(data[21:size]), data
        records += [(base + place, value) for place, value in records_of(data[61:size])]
        data = data[size:]
    return records, data

def handle_of(hello, got, grant):
    data = struct.pack(">BIIQIQIQqI", 1, hello.incarnation, hello.epoch, got.id, got.generation,
                       grant.grant, grant.first_index, grant.nonce, grant.base_offset, hello.shard)
    return base64.urlsafe_b64encode(data + struct.pack(">I", crc32c(data))).rstrip(b"=").decode()

class Broker:
    def __init__(self, address):
        self.socket = socket.create_connection(address.rsplit(":", 1), timeout=20)
        self.stream = self.socket.makefile("rb")
        self.early, self.held = collections.defaultdict(list), {}  # by type; by offset
        self.requests = self.sends = self.settles = 0
        self.write(HELLO, pb.Hello(protocol_min=1, protocol_max=1).SerializeToString())
        self.welcome = pb.Welcome.FromString(self.await_frame(WELCOME))

    def write(self, kind, body=b""):
        self.socket.sendall(struct.pack("<IB", 1 + len(body), kind) + body)

    def await_frame(self, wanted):
        while not self.early[wanted]:
            length, kind = struct.unpack("<IB", self.stream.read(5))
            self.early[kind].append(self.stream.read(length - 1))
            assert kind == wanted or kind != GO_AWAY, self.early[kind]
            if kind == PING:
                self.write(PONG)
        return self.early[wanted].pop(0)

    def request(self, error=OK, **method):
        self.requests += 1
        self.write(REQUEST, pb.Request(id=self.requests, **method).SerializeToString())
        response = pb.Response.FromString(self.await_frame(RESPONSE))
        assert (response.id, response.error.code) == (self.requests, error), response
        return getattr(response, response.WhichOneof("result") or "error")

    def send(self, alias, data, partition=0, code=OK):
        self.sends += 1
        self.write(SEND, struct.pack("<IIQI", alias, partition, self.sends, 0) + data)
        count, number, got, *stored = struct.unpack("<IQHHIqq", self.await_frame(SENT))
        assert (count, number, got) == (1, self.sends, code), (number, got)
        return stored  # flags, retry after ms, base offset, append time

    def take(self, offset):
        while offset not in self.held:
            body = self.await_frame(DELIVER)
            new = Grant(*struct.unpack_from("<IIIIIQQqqHHHIQ", body), body[70:])
            places = [place for place, _ in records_of(new.records)]
            assert len(places) == new.count and places[-1] < new.first_index + new.span, new
            self.held |= {new.base_offset + place: new for place in places}
        return self.held.pop(offset)

    def settle(self, grant, kind, offset, value=0, code=OK):
        self.settles += 1
        at = offset - grant.base_offset
        self.write(SETTLE, struct.pack("<QIIBQQqIII", self.settles, grant.alias, 1, kind,
                                       grant.grant, grant.nonce, grant.base_offset, at, 1, value))
        failed = struct.pack("<QQIIH", self.settles, grant.grant, at, 1, code) if code else b""
        assert self.await_frame(SETTLED) == struct.pack("<QI", self.settles, bool(code)) + failed

def check_hello(broker, other, name):
    error = broker.request(QUEUE_NOT_FOUND, describe_queue={"name": name})
    return f"{broker.welcome.broker} says Hello, and {error.code} QUEUE_NOT_FOUND: {error.message}"

def check_sends(broker, other, name):
    assert broker.request(create_queue={"name": name}).created
    producer = broker.request(init_producer={})
    who, alias = (producer.id, producer.epoch), broker.request(attach={"queue": name}).alias
    four = batch(b"a", b"b", b"c", b"d", producer=who, sequence=0)
    first, again = broker.send(alias, four), broker.send(alias, four)
    assert (first[0], again[0]) == (0, 1) and first[1:] == again[1:], again
    broker.send(alias, batch(b"x", producer=who, sequence=5), code=OUT_OF_ORDER_SEQUENCE)
    return "sent 4 messages; the same batch again is a duplicate, one behind a gap is refused"

def check_push(broker, other, name):
    worker = broker.request(subscribe={"queue": name, "window_messages": 2, "window_bytes": MIB})
    a, b = broker.take(0), broker.take(1)
    assert a == b and a.attempts == 0 and records_of(a.records) == [(0, b"a"), (1, b"b")], a
    broker.settle(a, STARTED, 0)
    broker.settle(a, ACK, 0)
    c = broker.take(2)  # the ack made room for it
    broker.write(CREDIT, struct.pack("<IIIQQ", worker.alias, 4, MIB, 0, 0))
    broker.settle(b, NACK, 1)
    b_again = broker.take(1)
    assert b_again.attempts == 1 and records_of(b_again.records) == [(1, b"b")], b_again
    broker.settle(b, ACK, 1, code=RECEIPT_EXPIRED)
    broker.settle(b_again, ACK, 1)
    broker.settle(c, EXTEND, 2, value=1)  # ms from now, not from the end of the lease
    c_again = broker.take(2)
    assert c_again.attempts == 0 and c_again.grant != c.grant, c_again
    broker.settle(c_again, ACK, 2)
    broker.request(unsubscribe={"alias": worker.alias})
    return "pushed under a window; started, acked, nacked (comes with attempts 1), extended"

def check_receive(broker, other, name):
    for attempts, action in (0, NACK), (1, ACK):
        received = broker.request(receive={"queue": name, "max_messages": 4, "wait_ms": 10_000})
        grant, = received.grants
        assert records_of(grant.records) == [(3, b"d")] and grant.attempts == attempts, grant
        handle = handle_of(broker.welcome, received, grant)
        other.request(RECEIPT_INVALID, settle_by_handle={"handle": "B" + handle[1:], "action": ACK})
        other.request(settle_by_handle={"handle": handle, "action": action})
    queue = broker.request(describe_queue={"name": name})
    assert (queue.next_offset, queue.ready, queue.in_flight, queue.bytes) == (4, 0, 0, 0), queue
    return "received; settled from another connection by receipt handles; the queue is empty"

def read_topic(broker, count, **where):
    reader = broker.request(subscribe_topic={"window_messages": 1, "window_bytes": MIB, **where})
    begin = {position.partition: position.offset for position in reader.positions}
    rest, records, size = dict.fromkeys(begin, b""), [], 0
    while len(records) < count:
        body = broker.await_frame(RECORDS)
        partition, size = struct.unpack_from("<4xI", body)[0], size + len(body) - 24
        whole, rest[partition] = cut_batches(rest[partition] + body[24:])
        records += [(partition, *pair) for pair in whole if pair[0] >= begin[partition]]
        broker.write(CREDIT, struct.pack("<IIIQQ", reader.alias, 1, MIB, len(records), size))
    broker.request(unsubscribe={"alias": reader.alias})
    return sorted(records)  # (partition, offset, value)

def check_topic(broker, other, name):
    broker.request(create_topic={"name": name, "settings": {"partitions": 2}})
    alias = broker.request(attach={"topic": name}).alias
    for partition, data in (0, batch(b"a", b"b")), (0, batch(b"c")), (1, batch(b"d")):
        broker.send(alias, data, partition)
    records = read_topic(broker, 4, topic=name, **{"from": {"start": True}})
    assert records == [(0, 0, b"a"), (0, 1, b"b"), (0, 2, b"c"), (1, 0, b"d")], records
    assert read_topic(broker, 2, topic=name, partitions=[{"from": {"offset": 1}}]) == records[1:3]
    return "published to 2 partitions; read from the start and from the middle of a batch"

def check_end(broker, other, name):
    other.write(RESPONSE)  # only brokers send it
    error = pb.GoAway.FromString(other.await_frame(GO_AWAY)).error
    assert error.code == MALFORMED and other.stream.read() == b"", error
    broker.write(PING)
    assert broker.await_frame(PONG) == b""
    return f"malformed: {error.message}; that connection is closed, and this one lives"

connections = Broker(sys.argv[1]), Broker(sys.argv[1])
for check in check_hello, check_sends, check_push, check_receive, check_topic, check_end:
    print(check(*connections, f"page-{os.getpid()}"))
