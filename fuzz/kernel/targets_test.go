//go:build linux

package kernel

// Cases of targets: what later rules see of them, and what the packets look
// like that are sent on.

// segments are TCP packets with options, with right checksums.
func segments(family int) (list []shot) {
	for _, opts := range [][]byte{nil, {2, 4, 5, 0xb4}, {2, 4, 2, 0}, {1, 1, 1, 1, 2, 4, 5, 0xb4}, {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7}, {8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 253, 3, 9},
		{3, 3, 7, 0}, {2, 4, 0, 0}, {8, 0, 1, 1}, {5, 40, 1, 1}, {0, 2, 4, 1}, {4, 2, 2, 4, 5, 0xb4, 1, 0}} {
		for _, flags := range []uint8{syn, syn | ack, ack, syn | ece | cwr, ack | ece, rst, fin | ack} {
			for _, payload := range []int{0, 7} {
				s := shot{name: "segment", raw: head{proto: 6, tos: flags & 3, ttl: 200, id: 0x4321}.ip(family, append(tcp(1234, 80, flags, opts...), make([]byte, payload)...))}
				fixChecksum(family, s.raw)
				list = append(list, s)
			}
		}
	}
	for _, tos := range []uint8{0, 1, 2, 3, 0x10, 0x28, 0xb8, 0xff} {
		for _, ttl := range []uint8{2, 3, 63, 64, 254, 255} {
			s := shot{name: "datagram", raw: head{proto: 17, tos: tos, ttl: ttl, id: 0x4321}.ip(family, udp(5, 53, 11))}
			fixChecksum(family, s.raw)
			list = append(list, s)
		}
	}
	return list
}

// Rules behind targets that change the packet.
var (
	seesMark = []string{"-m mark --mark 0", "-m mark --mark 0x1", "-m mark --mark 0xf0/0xf0", "-m mark ! --mark 0x12345678", "-m mark --mark 0xffffffff", "-m mark --mark 0/1"}
	seesTOS  = []string{"-m tos --tos 0x00/0xff", "-m tos --tos 0x10/0x3f", "-m tos --tos 0x01/0x01", "-m tos --tos 0xff/0xff", "-m dscp --dscp 0x2e", "-m dscp ! --dscp 0", "-m dscp --dscp 0x3f", "-m ecn --ecn-ip-ect 0", "-m ecn --ecn-ip-ect 3", "-m tos --tos 0xb8/0xfc"}
)

var _ = register(
	extension{kind: "target", name: "MARK", table: "mangle", routes: true, shots: segments, noPool: true, rules: seesMark, each: []string{
		"-j MARK --set-xmark 0x1/0xffffffff", "-j MARK --set-mark 1", "-j MARK --set-mark 0x1/0x3", "-p tcp -j MARK --set-xmark 0xff/0xf0", "-j MARK --and-mark 0xf0", "-j MARK --or-mark 0xf1", "-j MARK --xor-mark 0xffffffff", "-p udp -j MARK --set-xmark 0x12345678/0x0",
	}},
	extension{kind: "target", name: "TOS", table: "mangle", routes: true, shots: segments, noPool: true, rules: seesTOS, each: []string{
		"-j TOS --set-tos 0x10/0x3f", "-j TOS --set-tos 0xff", "-j TOS --set-tos 0x00/0xff", "-j TOS --and-tos 0xf0", "-j TOS --or-tos 0x01", "-j TOS --xor-tos 0xff", "-p tcp -j TOS --set-tos 0x1f/0x03", "-j TOS --set-tos Minimize-Delay",
	}},
	extension{kind: "target", name: "DSCP", table: "mangle", routes: true, shots: segments, noPool: true, rules: seesTOS, each: []string{
		"-j DSCP --set-dscp 0x2e", "-j DSCP --set-dscp 0", "-p udp -j DSCP --set-dscp-class EF", "-j DSCP --set-dscp 63", "-m dscp ! --dscp 0x2e -j DSCP --set-dscp-class AF11",
	}},
	extension{kind: "target", name: "ECN", family: 4, table: "mangle", routes: true, shots: segments, noPool: true, each: []string{
		"-p tcp -j ECN --ecn-tcp-remove", "-p tcp -j ECN --ecn-tcp-cwr 1", "-p tcp -j ECN --ecn-tcp-ece 0 --ecn-tcp-cwr 1", "-j ECN --ecn-ip-ect 2", "-p tcp -j ECN --ecn-tcp-ece 1 --ecn-ip-ect 0",
	}, rules: []string{"-p tcp -m ecn --ecn-tcp-cwr", "-p tcp -m ecn ! --ecn-tcp-ece", "-m ecn --ecn-ip-ect 0", "-p tcp -m tcp --tcp-flags SYN SYN"}},
	extension{kind: "target", name: "TTL", family: 4, table: "mangle", routes: true, shots: segments, noPool: true, each: []string{
		"-j TTL --ttl-set 42", "-j TTL --ttl-inc 1", "-j TTL --ttl-inc 100", "-j TTL --ttl-dec 1", "-j TTL --ttl-dec 60", "-j TTL --ttl-dec 255", "-j TTL --ttl-set 255", "-j TTL --ttl-set 0", "-j TTL --ttl-inc 255",
	}, rules: []string{"-m ttl --ttl-eq 42", "-m ttl --ttl-gt 100", "-m ttl --ttl-lt 1", "-m ttl --ttl-eq 255", "-m ttl ! --ttl-eq 254"}},
	extension{kind: "target", name: "HL", family: 6, table: "mangle", routes: true, shots: segments, noPool: true, each: []string{
		"-j HL --hl-set 42", "-j HL --hl-inc 1", "-j HL --hl-inc 100", "-j HL --hl-dec 1", "-j HL --hl-dec 60", "-j HL --hl-dec 255", "-j HL --hl-set 255", "-j HL --hl-set 0",
	}, rules: []string{"-m hl --hl-eq 42", "-m hl --hl-gt 100", "-m hl --hl-lt 1", "-m hl --hl-eq 255", "-m hl ! --hl-eq 254"}},
	extension{kind: "target", name: "TCPMSS", table: "mangle", routes: true, shots: segments, noPool: true, each: []string{
		"-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1000", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1460", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 0", "-p tcp -m tcp --syn -j TCPMSS --set-mss 65495",
	}, rules: []string{"-p tcp -m tcpmss --mss 1000", "-p tcp -m tcpmss --mss 512", "-p tcp -m tcpmss ! --mss 0:1460", "-p tcp -m tcp --tcp-option 2", "-p tcp -m tcp ! --tcp-option 8", "-m length --length 60:80", "-p tcp -m tcp --tcp-option 253"}},
	extension{kind: "target", name: "TCPMSS --clamp-mss-to-pmtu", table: "mangle", chain: "FORWARD", routes: true, shots: segments, noPool: true, each: []string{
		"-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
	}, rules: []string{"-p tcp -m tcpmss --mss 1460", "-p tcp -m tcpmss --mss 1440", "-p tcp -m tcpmss --mss 536", "-p tcp -m tcp --tcp-option 2"}},
	extension{kind: "target", name: "TCPOPTSTRIP", table: "mangle", routes: true, shots: segments, noPool: true, each: []string{
		"-p tcp -j TCPOPTSTRIP --strip-options 2", "-p tcp -j TCPOPTSTRIP --strip-options mss,timestamp,sack", "-p tcp -j TCPOPTSTRIP --strip-options 253,3", "-p tcp -m tcp ! --syn -j TCPOPTSTRIP --strip-options 2,3,4,5,8", "-p tcp -j TCPOPTSTRIP",
	}, rules: []string{"-p tcp -m tcp --tcp-option 2", "-p tcp -m tcp --tcp-option 8", "-p tcp -m tcp ! --tcp-option 253", "-p tcp -m tcpmss --mss 0:65535"}},
	extension{kind: "target", name: "CHECKSUM", table: "mangle", routes: true, shots: segments, noPool: true, each: []string{"-j CHECKSUM --checksum-fill"}, rules: []string{"-p tcp"}},
	extension{kind: "target", name: "CLASSIFY", table: "mangle", chain: "FORWARD", routes: true, shots: segments, noPool: true, each: []string{"-j CLASSIFY --set-class 0001:0010"}, rules: []string{"-p tcp"}},
	extension{kind: "target", name: "those that only report", table: "raw", rules: []string{
		"-p tcp -j LOG --log-prefix x --log-macdecode", "-p udp -j LOG --log-level debug --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid", "-j NFLOG", "-j NFLOG --nflog-range 5", "-j NFLOG --nflog-group 4 --nflog-prefix abc --nflog-size 20 --nflog-threshold 3", "-j AUDIT --type accept", "-j TRACE", "-j RATEEST --rateest-name hipac --rateest-interval 250ms --rateest-ewmalog 500ms", "-j IDLETIMER --timeout 1000 --label hipactest", "",
	}},
	extension{kind: "target", name: "TEE", table: "raw", rules4: []string{"-p udp -j TEE --gateway 10.8.0.1", "-p tcp -j TEE --gateway 10.8.0.1 --oif hipac0", "", "-p udp"}, rules6: []string{"-p udp -j TEE --gateway 2001:db8:8::1", "-p tcp -j TEE --gateway 2001:db8:8::1 --oif hipac0", "", "-p udp"}},
	extension{kind: "target", name: "DNPT", family: 6, table: "mangle", routes: true, noPool: true, shots: segments, each: []string{"-j DNPT --src-pfx 2001:db8:1::/48 --dst-pfx 2001:db8:77::/48", "-j DNPT --src-pfx 2001:db8:1::/60 --dst-pfx fd01:203:405:f0::/60", "-p udp -j DNPT --src-pfx 2001:db8::/32 --dst-pfx fd00::/16", "-j DNPT --src-pfx 2001:db8:1::/64 --dst-pfx 2001:db8:77:ffff::/64"},
		rules: []string{"-d 2001:db8:77::/48", "-d fd00::/8", "-d 2001:db8:1::9", "-s 2001:db8::1"}},
	extension{kind: "target", name: "SNPT", family: 6, table: "mangle", chain: "POSTROUTING", routes: true, noPool: true, shots: segments, each: []string{"-j SNPT --src-pfx 2001:db8::/48 --dst-pfx 2001:db8:77::/48", "-j SNPT --src-pfx 2001:db8::/64 --dst-pfx fd01:203:405:f::/64", "-p udp -j SNPT --src-pfx 2001:db8::/32 --dst-pfx fd00::/16"},
		rules: []string{"-s 2001:db8:77::/48", "-s fd00::/8", "-d 2001:db8:1::9", "-s 2001:db8::1"}},
	extension{kind: "target", name: "ACCEPT", table: "raw", each: []string{"-p tcp -j ACCEPT", "! -p udp -j ACCEPT"}, rules: []string{"-p udp", ""}},
	extension{kind: "target", name: "DROP", table: "mangle", routes: true, each: []string{"-p tcp -j DROP", "! -p udp -j DROP"}, rules: []string{"-p udp", ""}, shots: segments, noPool: true},
	extension{kind: "target", name: "RETURN", table: "raw", each: []string{"-p tcp -j RETURN", "! -p udp -j RETURN"}, rules: []string{"-p udp", ""}},
	extension{kind: "target", name: "NFQUEUE", table: "raw", each: []string{"-p tcp -j NFQUEUE", "-p udp -j NFQUEUE --queue-num 7 --queue-bypass", "-p udp -j NFQUEUE --queue-balance 1:3", "-p tcp -j QUEUE", "-p tcp -j NFQUEUE --queue-balance 1:3 --queue-bypass --queue-cpu-fanout"}, rules: []string{"-p udp", ""}},
	extension{kind: "target", name: "REJECT", table: "filter", chain: "FORWARD", routes: true, shots: segments, noPool: true, rules: []string{"-p udp", ""}, each: []string{"-p tcp -j REJECT --reject-with tcp-reset", "-p udp -j REJECT"}},
	extension{kind: "target", name: "REJECT", family: 4, table: "filter", chain: "FORWARD", routes: true, shots: segments, noPool: true, rules: []string{"-p udp", ""}, each: []string{"-p tcp -j REJECT --reject-with icmp-host-prohibited", "-p udp -j REJECT --reject-with icmp-net-unreachable"}},
	extension{kind: "target", name: "REJECT", family: 6, table: "filter", chain: "FORWARD", routes: true, shots: segments, noPool: true, rules: []string{"-p udp", ""}, each: []string{"-p tcp -j REJECT --reject-with icmp6-adm-prohibited", "-p udp -j REJECT --reject-with icmp6-no-route"}},
	extension{kind: "target", name: "CONNMARK", table: "mangle", routes: true, meta: tracked, shots: conversations, noPool: true, each: []string{
		"-p udp -j CONNMARK --set-xmark 0x1/0xffffffff", "-j CONNMARK --set-mark 0xf0/0xf0", "-p tcp -m tcp --syn -j CONNMARK --or-mark 0x1", "-j CONNMARK --xor-mark 0xff", "-j CONNMARK --and-mark 0x0", "-p tcp -j CONNMARK --set-xmark 0x3/0xff --left-shift-mark 4", "-j CONNMARK --set-mark 0xff0 --right-shift-mark 4", "-j CONNMARK --save-mark --mask 0xff",
	}, rules: []string{
		"-m connmark --mark 0", "-m connmark --mark 0x1", "-m connmark ! --mark 0xf0/0xf0", "-p tcp -j MARK --set-mark 0x35", "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf", "-m connmark --mark 0x30/0x30", "-j MARK --set-mark 0", "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
		"-m mark --mark 0", "-m mark --mark 0x5/0xf", "-j CONNMARK --restore-mark", "-m mark --mark 0x35", "-j CONNMARK --save-mark", "-m connmark --mark 0x35",
	}},
)
