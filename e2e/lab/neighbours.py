"""ARP and NDP as a neighbour on the LAN speaks them: who answers for an address, and false claims.

Frames are built and read by pure functions; `ask` and `claim` send them from a socket that `netns.py` opened
on a machine's interface. IPv6: RFC 4861; ARP: RFC 826, claims as RFC 5227 calls an announcement.
"""

import asyncio
import ipaddress
import socket
import struct

import netns

ETH_ARP, ETH_IPV6 = 0x0806, 0x86DD
ARP_REQUEST, ARP_REPLY = 1, 2
ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136
SOURCE_LINK, TARGET_LINK = 1, 2  # NDP options
OVERRIDE = 0x20000000
EVERYBODY = "ff:ff:ff:ff:ff:ff"
LONGEST_FRAME = 2048


def mac_bytes(mac):
    """Six bytes of a MAC's text."""
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(data):
    """The text of six bytes."""
    return ":".join(f"{byte:02x}" for byte in data)


def ethernet(destination, source, kind, payload):
    """A frame of at least 60 bytes."""
    return (mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp(operation, mac, sender, target, target_mac="00:00:00:00:00:00"):
    """An ARP payload for IPv4 on Ethernet."""
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac_bytes(mac) + ipaddress.IPv4Address(sender).packed
            + mac_bytes(target_mac) + ipaddress.IPv4Address(target).packed)


def solicited_node(address):
    """The multicast group and MAC that listen for an IPv6 address."""
    low = ipaddress.IPv6Address(address).packed[-3:]
    group = ipaddress.IPv6Address(ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + low)
    return group, "33:33:ff:" + mac_text(low)


def checksum(source, destination, payload):
    """ICMPv6's, over the pseudo header."""
    data = source.packed + destination.packed + struct.pack("!II", len(payload), ICMPV6) + payload
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmpv6(source, destination, kind, body):
    """An IPv6 packet with hop limit 255 around an ICMPv6 message."""
    source, destination = ipaddress.IPv6Address(source), ipaddress.IPv6Address(destination)
    message = struct.pack("!BBH", kind, 0, 0) + body
    message = message[:2] + struct.pack("!H", checksum(source, destination, message)) + message[4:]
    return struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + source.packed + destination.packed + message


def option(kind, mac):
    """A link-layer address option."""
    return struct.pack("!BB", kind, 1) + mac_bytes(mac)


def question(address, mac, own, to=None, bare=False):
    """The frame that asks who has an address. `to`: only that MAC is asked (for IPv6 as neighbour
    unreachability detection does it: to the address itself); `bare`: without the link-layer option."""
    address = ipaddress.ip_address(address)
    if address.version == 4:
        return ethernet(to or EVERYBODY, mac, ETH_ARP, arp(ARP_REQUEST, mac, own, address))
    group, group_mac = solicited_node(address)
    body = bytes(4) + address.packed + (b"" if bare else option(SOURCE_LINK, mac))
    return ethernet(to or group_mac, mac, ETH_IPV6, icmpv6(own, address if to else group, SOLICITATION, body))


def false_claim(address, mac):
    """The frame by which somebody says unasked that an address is at that MAC."""
    address = ipaddress.ip_address(address)
    if address.version == 4:
        return ethernet(EVERYBODY, mac, ETH_ARP, arp(ARP_REQUEST, mac, address, address))
    body = struct.pack("!I", OVERRIDE) + address.packed + option(TARGET_LINK, mac)
    return ethernet("33:33:00:00:00:01", mac, ETH_IPV6, icmpv6(address, "ff02::1", ADVERTISEMENT, body))


def answer(frame, address):
    """The MAC at which a frame says the address is, or None when it says nothing about it."""
    address = ipaddress.ip_address(address)
    kind, = struct.unpack_from("!H", frame, 12)
    if kind == ETH_ARP and address.version == 4 and len(frame) >= 42:
        operation, = struct.unpack_from("!H", frame, 20)
        return mac_text(frame[22:28]) if operation == ARP_REPLY and frame[28:32] == address.packed else None
    if kind != ETH_IPV6 or address.version == 4 or len(frame) < 78 or frame[20] != ICMPV6:
        return None
    if frame[54] != ADVERTISEMENT or frame[62:78] != address.packed:
        return None
    has_option = len(frame) >= 86 and frame[78:80] == bytes([TARGET_LINK, 1])
    return mac_text(frame[80:86] if has_option else frame[6:12])


def packet_socket(machine, interface, kind):
    """A raw socket on a machine's interface."""
    with netns.inside(machine):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        link.bind((interface, kind))
    link.setblocking(False)
    return link


def _kind(address):
    return ETH_IPV6 if ":" in address else ETH_ARP


async def ask(machine, interface, address, own, seconds, to=None, bare=False):
    """Asks once from a machine (`own`: its address there) and listens; every MAC that answered, sorted."""
    found = set()
    with packet_socket(machine, interface, _kind(address)) as link:
        mac = mac_text(link.getsockname()[4])
        link.send(question(address, mac, own, to, bare))
        try:
            async with asyncio.timeout(seconds):
                while True:
                    data = await asyncio.get_running_loop().sock_recv(link, LONGEST_FRAME)
                    if data[:6] == mac_bytes(mac) and (claimed := answer(data, address)):
                        found.add(claimed)
        except TimeoutError:
            return sorted(found)


def claim(machine, interface, address):
    """Says once, from a machine that has it not, that the address is there."""
    with packet_socket(machine, interface, _kind(address)) as link:
        link.send(false_claim(address, mac_text(link.getsockname()[4])))
