#!/usr/bin/env python3
# Writes the seeds of the fuzzers of what processes share into tests/fuzz/corpus/FUZZER/: what each
# reads, once whole and once with each field of a header wrong. They are committed; run it after a
# change.
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
PAGE = 4096
WHOLE, OPENED, SCRIBBLED, CUT = 0, 1, 2, 3  # the kinds that the fuzzers of records and arenas know
BROKEN = 0xFFFFFFFF


def pages(size: int) -> int:
    return (size + PAGE - 1) // PAGE * PAGE


def write(fuzzer: str, name: str, data: bytes) -> None:
    folder = CORPUS / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def scribble(places: list[int]) -> bytes:
    return b"".join(struct.pack("<HI", place // 4, BROKEN) for place in places)


def record_seeds() -> None:
    vocabulary, tokens, rows = 5, 10, 1
    shape = struct.pack("<BHB", vocabulary - 1, tokens - 1, rows)
    logits = 16384 + pages(4 * tokens)
    total = logits + pages(4 * rows * vocabulary)
    header = struct.pack("<8sIIQQQQII", b"obrecord", 1, vocabulary, 7, total, 16384, logits, tokens,
                         rows)
    write("wire_record_fuzz", "whole",
          bytes([WHOLE]) + shape + struct.pack("<H", total) + header)
    for place in range(0, len(header), 4):
        write("wire_record_fuzz", f"field_{place}",
              bytes([SCRIBBLED]) + shape + scribble([place]))
    write("wire_record_fuzz", "cut", bytes([CUT]) + shape)
    point_logits_finish_biases = [128, 132, 136, 140, 192, 196, 256, 788]
    write("wire_record_fuzz", "opened",
          bytes([OPENED]) + shape + scribble(point_logits_finish_biases))


def arena_seeds() -> None:
    slots, sessions, rows, tensors, tensor_bytes = 2, 3, 10, 2, 480
    shape = struct.pack("<BBBBH", slots - 1, sessions - 1, rows, tensors, tensor_bytes)
    total = (3 + slots) * PAGE + pages(tensor_bytes // 2) + slots * pages(tensors * tensor_bytes)
    header = struct.pack("<8sIIIIIIQQQ32s", b"ob arena", 1, slots, sessions, rows, tensors, 0,
                         tensor_bytes, tensor_bytes // 2, total, b"\xab" * 32) + b"/run/a.lock\0"
    write("wire_arena_fuzz", "whole", bytes([WHOLE]) + shape + struct.pack("<H", total) + header)
    for place in range(0, 56, 4):
        write("wire_arena_fuzz", f"field_{place}", bytes([SCRIBBLED]) + shape + scribble([place]))
    write("wire_arena_fuzz", "cut", bytes([CUT]) + shape)
    write("wire_arena_fuzz", "opened", bytes([OPENED]) + shape + scribble(list(range(0, 64, 4))))


def message_seeds() -> None:
    """A packet: kind (1 long, 2 descriptors, 4 very many, 8 credentials), length, bytes."""
    header = struct.pack("<IIQ", 5, 1, 7)

    def packet(kind: int, content: bytes) -> bytes:
        return bytes([kind, len(content)]) + content

    write("wire_message_fuzz", "bare", packet(0, header) + packet(0, header + bytes(72)))
    write("wire_message_fuzz", "short", packet(0, header[:15]) + packet(0, b""))
    write("wire_message_fuzz", "descriptors",
          b"".join(packet(2 | count << 4, header + bytes(16)) for count in range(1, 6)))
    write("wire_message_fuzz", "many", packet(4, header) + packet(6 | 3 << 4, header[:3]))
    write("wire_message_fuzz", "credentials", packet(8, header) + packet(10 | 2 << 4, header))
    write("wire_message_fuzz", "long",
          bytes([1, 64]) + header + bytes(48) + bytes([1, 65]) + header)


def saved_seeds() -> None:
    """Kinds: 1 a good one of the fuzzer's own, 2 scribbled on, 4 into an arena without a cache."""
    tokens, rows, dropped = 20, 7, 5
    header = struct.pack("<8sII32s32sIIIIIIIIQQ", b"obrdsave", 1, 100, bytes(32), bytes(32), tokens,
                         rows, 0, rows, 4, 2, 4, 0, 128 + 4 * tokens + 4 * 2 * rows * 4, 0)
    content = header + bytes(4 * tokens + 4 * 2 * rows * 4)
    write("supervisor_saved_fuzz", "whole", b"\0" + struct.pack("<H", len(content)) + content)
    good = struct.pack("<BBB", tokens, rows, dropped)
    write("supervisor_saved_fuzz", "good", b"\1" + good)
    write("supervisor_saved_fuzz", "no_cache", b"\5" + good)
    for place in range(0, len(header), 4):
        if not 20 <= place < 80:  # of the digests one word each is enough
            write("supervisor_saved_fuzz", f"field_{place}", b"\3" + good + scribble([place]))


def client_seeds() -> None:
    """Which of two clients, kind, type - 1, session, then what that type takes."""
    hello, opening, claim, feed, turn, cancel, close, fork, save, load, statistics = range(11)
    read = bytes([0, 4])

    def say(message: int, *body: int) -> bytes:
        return bytes([0, 1, message, 0, *body])

    begin = say(hello, 1) + say(opening, 0, 0) + read
    # keep, tokens, answer, rows of logits, flags, end ids, biases; then the tokens
    asks = say(turn, 0, 3, 9, 0, 1, 1, 0, 77, 10, 20, 30)
    write("supervisor_client_fuzz", "turn", begin + asks + read + say(cancel) + say(close) + read)
    write("supervisor_client_fuzz", "empty_turn", begin + say(turn, *bytes(7)) + read)
    write("supervisor_client_fuzz", "feed", begin + say(feed, 0, 4, 1, 2, 3, 4) + asks + read)
    write("supervisor_client_fuzz", "fork", begin + asks + read + say(cancel) + read
          + say(fork, 0, 0) + read + say(statistics) + read)
    saves = begin + say(feed, 0, 4, 1, 2, 3, 4) + say(save) + read
    write("supervisor_client_fuzz", "load", saves + say(load, 0, 0, 5, 0) + read + asks + read)
    for place in (0, 8, 80, 84, 88, 92, 96, 104, 112, 130):
        write("supervisor_client_fuzz", f"load_{place}",
              saves + say(load, 0, 0, 5, 1, place, 0, 1) + read + asks + read)
    write("supervisor_client_fuzz", "unsealed", saves + say(load, 0, 0, 3, 2) + read)
    write("supervisor_client_fuzz", "theirs",
          bytes([0, 1, claim, 255, 1, 0, 1, close, 255, 0, 1, cancel, 255, 1]) + read)


if __name__ == "__main__":
    record_seeds()
    arena_seeds()
    message_seeds()
    saved_seeds()
    client_seeds()
