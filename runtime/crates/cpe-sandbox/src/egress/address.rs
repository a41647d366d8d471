//! Which addresses are the internet's, which are the operator's own network, and which are nobody
//! to talk to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is to a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// On the internet.
    Public,
    /// This machine, or a network that is not the internet's. Only where the operator says so.
    Internal,
    /// Link-local (where clouds keep the credentials of machines), multicast, or for special use.
    /// Only where the operator names the very address.
    Special,
}

pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [10 | 127, ..] | [192, 168, ..] => Reach::Internal,
        [172, second, ..] if second & 0xf0 == 16 => Reach::Internal,
        // Carriers' shared addresses.
        [100, second, ..] if second & 0xc0 == 64 => Reach::Internal,
        // "This network"; link-local; multicast, reserved and broadcast.
        [0 | 224.., ..] | [169, 254, ..] => Reach::Special,
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Reach::Special
        }
        [198, 18 | 19, ..] => Reach::Special,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return reach_v4(mapped);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Internal,
        [first, ..] if first & 0xfe00 == 0xfc00 => Reach::Internal,
        // Translated to IPv4 on the way: what counts is where it ends.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            match reach_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))) {
                Reach::Public => Reach::Public,
                Reach::Internal | Reach::Special => Reach::Special,
            }
        }
        // Teredo and other protocols, documentation, 6to4: tunnels that may end anywhere.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => Reach::Special,
        [0x2002 | 0x3fff, ..] => Reach::Special,
        [first, ..] if first & 0xe000 == 0x2000 => Reach::Public,
        _ => Reach::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: Reach, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn addresses_are_told_apart() {
        check(
            Reach::Public,
            &[
                "8.8.8.8",
                "172.32.0.1",
                "100.128.0.1",
                "2600::1",
                "::ffff:8.8.8.8",
                "64:ff9b::808:808",
            ],
        );
        check(
            Reach::Internal,
            &[
                "127.0.0.1",
                "127.255.0.9",
                "10.1.2.3",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "100.127.255.255",
                "::1",
                "fc00::1",
                "fd12::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
            ],
        );
        check(
            Reach::Special,
            &[
                "0.0.0.0",
                "0.1.2.3",
                "169.254.169.254",
                "224.0.0.1",
                "239.255.255.250",
                "255.255.255.255",
                "240.0.0.1",
                "192.0.0.8",
                "192.0.2.1",
                "198.18.0.1",
                "203.0.113.9",
                "::",
                "::7f00:1",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "64:ff9b::7f00:1",
                "64:ff9b:1::1",
                "2002:7f00:1::",
                "2001::1",
                "2001:db8::1",
                "100::1",
            ],
        );
        // The cloud's metadata over IPv6 is a unique local address.
        check(Reach::Internal, &["fd00:ec2::254"]);
    }
}
