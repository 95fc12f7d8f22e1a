import random
import unittest

import frames


class FramesTest(unittest.TestCase):
    def test_frames_survive_any_cutting_into_pieces(self):
        seed = 7
        rng = random.Random(seed)
        sent = [(rng.choice(sorted(frames.TYPES)), rng.randrange(1 << 32), rng.randbytes(rng.randrange(300)))
                for _ in range(200)]
        stream = b"".join(frames.encode(*frame) for frame in sent)
        decoder, got = frames.Decoder(), []
        while stream:
            cut = rng.randrange(1, 50)
            got += decoder.feed(stream[:cut])
            stream = stream[cut:]
        self.assertEqual(got, sent, f"seed {seed}")

    def test_a_long_stream_is_cut_into_frames_of_the_greatest_size(self):
        data = bytes(range(256)) * 400
        got = frames.Decoder().feed(frames.encode_stream(frames.STDOUT, 3, data))
        self.assertEqual(b"".join(payload for _, _, payload in got), data)
        self.assertTrue(all(len(payload) <= frames.MAX_PAYLOAD for _, _, payload in got))

    def test_an_empty_stream_is_its_end(self):
        self.assertEqual(frames.Decoder().feed(frames.encode_stream(frames.STDIN, 1, b"")),
                         [(frames.STDIN, 1, b"")])

    def test_an_unknown_type_or_a_great_length_is_refused(self):
        for bad in (b"\x00" + bytes(8), b"\x01" + bytes(4) + b"\xff" * 4):
            with self.assertRaises(frames.ProtocolError):
                frames.Decoder().feed(bad)

    def test_the_line_never_holds_more_than_its_window(self):
        on_line, got = bytearray(), bytearray()
        sender = frames.LineSender(on_line.extend)
        data = bytes(range(256)) * 100
        sender.send(data)
        while on_line:
            self.assertLessEqual(len(on_line), frames.LINE_WINDOW)
            taken = min(len(on_line), 1000)
            got += on_line[:taken]
            del on_line[:taken]
            sender.credit(taken)
        self.assertEqual(got, data)

    def test_credit_round_trip(self):
        (_, channel, payload), = frames.Decoder().feed(frames.encode_credit(9, frames.STDERR, 12345))
        self.assertEqual((channel, frames.decode_credit(payload)), (9, (frames.STDERR, 12345)))


if __name__ == "__main__":
    unittest.main()
