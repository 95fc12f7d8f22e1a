import ipaddress
import unittest

import neighbours

CLIENT = "02:00:c0:a8:64:32"
NODE = "02:00:c0:a8:64:0b"


class NeighboursTest(unittest.TestCase):
    def test_an_arp_request_is_broadcast_or_goes_to_one(self):
        frame = neighbours.question("192.168.100.200", CLIENT, "192.168.100.50")
        self.assertEqual(frame.hex(), "ffffffffffff" "0200c0a86432" "0806" "0001080006040001"
                         "0200c0a86432" "c0a86432" "000000000000" "c0a864c8" + "00" * 18)
        frame = neighbours.question("192.168.100.200", CLIENT, "192.168.100.50", to=NODE)
        self.assertEqual(frame[:6], neighbours.mac_bytes(NODE))

    def test_a_solicitation_goes_to_the_group_of_its_target(self):
        frame = neighbours.question("fd00::1:c8", CLIENT, "fd00::32")
        self.assertEqual(neighbours.mac_text(frame[:6]), "33:33:ff:01:00:c8")
        self.assertEqual(str(ipaddress.IPv6Address(frame[38:54])), "ff02::1:ff01:c8")
        self.assertEqual(frame[21], 255)  # hop limit

    def test_a_unicast_solicitation_may_lack_the_option(self):
        frame = neighbours.question("fd00::c8", CLIENT, "fd00::32", to=NODE, bare=True)
        self.assertEqual(str(ipaddress.IPv6Address(frame[38:54])), "fd00::c8")
        self.assertEqual(len(frame), 78)

    def test_a_right_checksum_adds_up_to_nothing(self):
        frame = neighbours.question("fd00::c8", CLIENT, "fd00::32")
        source, target = (ipaddress.IPv6Address(frame[start:start + 16]) for start in (22, 38))
        self.assertEqual(neighbours.checksum(source, target, frame[54:]), 0)

    def test_answers_name_the_mac_and_others_are_none(self):
        reply = neighbours.ethernet(CLIENT, NODE, neighbours.ETH_ARP, neighbours.arp(
            neighbours.ARP_REPLY, NODE, "192.168.100.200", "192.168.100.50", CLIENT))
        body = bytes(4) + ipaddress.IPv6Address("fd00::c8").packed
        plain = neighbours.ethernet(CLIENT, NODE, neighbours.ETH_IPV6, neighbours.icmpv6(
            "fd00::c8", "fd00::32", neighbours.ADVERTISEMENT, body))
        other = neighbours.ethernet(CLIENT, NODE, neighbours.ETH_IPV6, neighbours.icmpv6(
            "fd00::c8", "fd00::32", neighbours.ADVERTISEMENT, body
            + neighbours.option(neighbours.TARGET_LINK, "02:00:00:00:00:07")))
        table = [
            (reply, "192.168.100.200", NODE),
            (reply, "192.168.100.201", None),
            (reply, "fd00::c8", None),
            (plain, "fd00::c8", NODE),
            (other, "fd00::c8", "02:00:00:00:00:07"),
            (plain, "fd00::c9", None),
            (neighbours.question("192.168.100.200", CLIENT, "192.168.100.50"), "192.168.100.200", None),
            (bytes(60), "fd00::c8", None),
        ]
        for frame, address, mac in table:
            with self.subTest(address=address, mac=mac):
                self.assertEqual(neighbours.answer(frame, address), mac)

    def test_claims_are_gratuitous(self):
        frame = neighbours.false_claim("192.168.100.200", CLIENT)
        self.assertEqual(frame[28:32], frame[38:42])
        self.assertEqual(neighbours.answer(neighbours.false_claim("fd00::c8", CLIENT), "fd00::c8"), CLIENT)


if __name__ == "__main__":
    unittest.main()
