//go:build linux

package kernel

// Cases of matches on header fields.

var plainHeaders = []matches{
	{kind: "match", name: "tcp", rules: []string{
		"-p tcp -m tcp",
		"-p tcp",
		"! -p tcp",
		"-p tcp -m tcp --sport 80", "-p tcp -m tcp ! --sport 80", "-p tcp -m tcp --sport 0:1023", "-p tcp -m tcp --dport 443:65535", "-p tcp -m tcp ! --dport 0:442",
		"-p tcp -m tcp --sport 65535", "-p tcp -m tcp --dport 0", "-p tcp -m tcp ! --dport 0:65535", "-p tcp -m tcp --sport :", "-p tcp -m tcp --sport 1024: ! --dport :80",
		"-p tcp -m tcp --syn", "-p tcp -m tcp ! --syn", "-p tcp -m tcp --tcp-flags ALL NONE", "-p tcp -m tcp --tcp-flags NONE NONE", "-p tcp -m tcp ! --tcp-flags NONE NONE",
		"-p tcp -m tcp --tcp-flags SYN,RST SYN,ACK", "-p tcp -m tcp ! --tcp-flags SYN,RST SYN,ACK", "-p tcp -m tcp --tcp-flags ALL ALL", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,PSH,ACK,URG ACK",
	}},
	{kind: "match", name: "tcp --tcp-option", rules: []string{
		"-p tcp -m tcp --tcp-option 2", "-p tcp -m tcp ! --tcp-option 2", "-p tcp -m tcp --tcp-option 8", "-p tcp -m tcp ! --tcp-option 8",
		"-p tcp -m tcp --tcp-option 1", "-p tcp -m tcp --tcp-option 253", "-p tcp -m tcp ! --tcp-option 19", "-p tcp -m tcp --syn --tcp-option 3",
		"-p tcp -m tcp --tcp-option 255",
	}},
	{kind: "match", name: "udp", rules: []string{
		"-p udp -m udp", "-p udp", "-p udp -m udp --sport 53", "-p udp -m udp ! --sport 53", "-p udp -m udp --dport 1024:", "-p udp -m udp ! --dport :1023", "-p udp -m udp ! --sport :", "-p udp -m udp --sport 1:1 --dport 65535",
	}},
	{kind: "match", name: "icmp", family: 4, rules: []string{
		"-p icmp -m icmp --icmp-type any", "-p icmp -m icmp --icmp-type 8", "-p icmp -m icmp ! --icmp-type 8", "-p icmp -m icmp --icmp-type 3/1", "-p icmp -m icmp ! --icmp-type 3/1", "-p icmp -m icmp --icmp-type 3/0",
		"-p icmp -m icmp --icmp-type 255", "-p icmp -m icmp --icmp-type destination-unreachable", "-p icmp -m icmp --icmp-type fragmentation-needed", "-p icmp -m icmp ! --icmp-type any",
		"-p icmp", "-p icmp -m icmp --icmp-type 0/0",
	}},
	{kind: "match", name: "icmp6", family: 6, rules: []string{
		"-p ipv6-icmp -m icmp6 --icmpv6-type 128", "-p ipv6-icmp -m icmp6 ! --icmpv6-type 128", "-p ipv6-icmp -m icmp6 --icmpv6-type 1/1", "-p ipv6-icmp -m icmp6 ! --icmpv6-type 1/1", "-p ipv6-icmp -m icmp6 --icmpv6-type 1/0",
		"-p ipv6-icmp -m icmp6 --icmpv6-type 255", "-p ipv6-icmp -m icmp6 --icmpv6-type echo-request", "-p ipv6-icmp -m icmp6 --icmpv6-type no-route", "-p ipv6-icmp", "-p ipv6-icmp -m icmp6 --icmpv6-type neighbour-solicitation",
	}},
	{kind: "match", name: "sctp", rules: []string{
		"-p sctp -m sctp --sport 80", "-p sctp -m sctp ! --sport 80", "-p sctp -m sctp --dport 443:", "-p sctp -m sctp ! --dport :442",
	}},
	{kind: "match", name: "sctp --chunk-types", rules: []string{
		"-p sctp -m sctp --chunk-types all DATA", "-p sctp -m sctp --chunk-types any DATA", "-p sctp -m sctp --chunk-types only DATA", "-p sctp -m sctp ! --chunk-types any DATA", "-p sctp -m sctp ! --chunk-types all DATA,SACK",
		"-p sctp -m sctp --chunk-types any INIT,ABORT", "-p sctp -m sctp --chunk-types only DATA,SACK,FORWARD_TSN", "-p sctp -m sctp ! --chunk-types only DATA",
		"-p sctp -m sctp --chunk-types any DATA:U", "-p sctp -m sctp --chunk-types any DATA:UBE", "-p sctp -m sctp --chunk-types all DATA:Ube", "-p sctp -m sctp --chunk-types only DATA:U", "-p sctp -m sctp --chunk-types any ABORT:T", "-p sctp -m sctp --chunk-types any ABORT:t,SHUTDOWN_COMPLETE:T",
		"-p sctp -m sctp --chunk-types all ALL", "-p sctp -m sctp --chunk-types any ALL", "-p sctp -m sctp --chunk-types only NONE", "-p sctp -m sctp --chunk-types all ASCONF,ASCONF_ACK",
	}},
	{kind: "match", name: "dccp", rules: []string{
		"-p dccp -m dccp --sport 80", "-p dccp -m dccp ! --sport 80", "-p dccp -m dccp --dport 443:", "-p dccp -m dccp ! --dport :442",
		"-p dccp -m dccp --dccp-types REQUEST", "-p dccp -m dccp ! --dccp-types REQUEST,RESPONSE", "-p dccp -m dccp --dccp-types DATA,ACK,DATAACK,CLOSEREQ,CLOSE,RESET,SYNC,SYNCACK", "-p dccp -m dccp --dccp-types INVALID",
		"-p dccp -m dccp --dccp-option 38", "-p dccp -m dccp --dccp-option 32", "-p dccp -m dccp --dccp-option 1", "-p dccp -m dccp --dccp-option 4",
	}},
	{kind: "match", name: "dccp ! --dccp-option", rules: []string{"-p dccp -m dccp ! --dccp-option 38", "-p dccp -m dccp ! --dccp-option 2"}},
	{kind: "match", name: "multiport", rules: []string{
		"-p tcp -m multiport --sports 80,443", "-p tcp -m multiport ! --sports 80,443", "-p tcp -m multiport --dports 1:1023", "-p udp -m multiport --ports 53,1024:65535", "-p udp -m multiport ! --ports 53,1024:65535",
		"-p sctp -m multiport --dports 443", "-p dccp -m multiport --ports 80", "-p udplite -m multiport ! --dports 0:1023", "-p tcp -m multiport --ports 0,1,22,53,80,443,1023,1024,8080,65534,65535,7,8,9,10",
	}},
	{kind: "match", name: "iprange", rules4: []string{
		"-m iprange --src-range 10.0.0.1-10.0.0.2", "-m iprange ! --src-range 10.0.0.1-10.128.0.0", "-m iprange --dst-range 192.0.2.9-192.0.2.9", "-m iprange ! --dst-range 192.0.2.0-224.0.0.5 --src-range 0.0.0.0-127.0.0.1", "-m iprange --src-range 255.255.255.255-255.255.255.255",
	}, rules6: []string{
		"-m iprange --src-range 2001:db8::1-2001:db8::2", "-m iprange ! --src-range ::-2001:db8::ffff", "-m iprange --dst-range 2001:db8::1-2001:db8:1::9", "-m iprange ! --dst-range fe80::-ffff::",
	}},
	{kind: "match", name: "length", rules: []string{
		"-m length --length 28", "-m length ! --length 28", "-m length --length 0:60", "-m length --length 1400:", "-m length ! --length 60:576", "-m length --length :61", "-m length --length 0",
	}},
	{kind: "match", name: "ttl", family: 4, rules: []string{
		"-m ttl --ttl-eq 64", "-m ttl ! --ttl-eq 64", "-m ttl --ttl-lt 1", "-m ttl --ttl-lt 2", "-m ttl --ttl-gt 254", "-m ttl --ttl-gt 255", "-m ttl --ttl-lt 0", "-m ttl --ttl-eq 0",
	}},
	{kind: "match", name: "hl", family: 6, rules: []string{
		"-m hl --hl-eq 64", "-m hl ! --hl-eq 64", "-m hl --hl-lt 1", "-m hl --hl-lt 2", "-m hl --hl-gt 254", "-m hl --hl-gt 255", "-m hl --hl-lt 0", "-m hl --hl-eq 0",
	}},
	{kind: "match", name: "tos", rules: []string{
		"-m tos --tos 0x00/0xff", "-m tos ! --tos 0x00/0xff", "-m tos --tos 0x12/0x3f", "-m tos --tos 0x10/0x10", "-m tos --tos 0x01/0x00", "-m tos --tos Minimize-Delay", "-m tos ! --tos 0x13/0x12", "-m tos --tos 0x0f/0x03",
	}},
	{kind: "match", name: "dscp", rules: []string{
		"-m dscp --dscp 0", "-m dscp ! --dscp 0", "-m dscp --dscp 63", "-m dscp --dscp-class EF", "-m dscp ! --dscp-class AF11", "-m dscp --dscp-class BE", "-m dscp --dscp-class CS1",
	}},
	{kind: "match", name: "ecn", rules: []string{
		"-m ecn --ecn-ip-ect 0", "-m ecn ! --ecn-ip-ect 0", "-m ecn --ecn-ip-ect 3",
	}},
	{kind: "match", name: "ecn --ecn-tcp", rules: []string{
		"-p tcp -m ecn --ecn-tcp-cwr", "-p tcp -m ecn ! --ecn-tcp-cwr", "-p tcp -m ecn --ecn-tcp-ece --ecn-ip-ect 0", "-p tcp -m ecn ! --ecn-tcp-ece",
	}},
	{kind: "match", name: "mark", rules: []string{
		"-m mark --mark 0", "-m mark ! --mark 0", "-m mark --mark 0/3", "-m mark --mark 1/3", "-m mark --mark 1/0", "-m mark ! --mark 1/0xffffffff",
	}},
	{kind: "match", name: "pkttype", rules: []string{
		"-m pkttype --pkt-type unicast", "-m pkttype ! --pkt-type unicast", "-m pkttype --pkt-type broadcast", "-m pkttype --pkt-type multicast", "-m pkttype ! --pkt-type multicast",
	}},
	{kind: "match", name: "comment", rules: []string{`-m comment --comment "some words"`, `-p tcp -m comment --comment word`}},
	{kind: "match", name: "mac", rules: []string{"-m mac --mac-source 00:11:22:33:44:55", "-m mac ! --mac-source 00:11:22:33:44:55"}},
	// The options that every rule has.
	{kind: "rule", name: "options", rules: []string{
		"-i hipac0", "! -i hipac0", "-i hipac1", "-i hip+", "! -i hip+", "! -i hipac0+", "-i eth+", "! -i eth+", "! -i +", "-p 255", "! -p 255", "-p esp", "-p ah", "! -p udp",
	}, rules4: []string{
		// In IPv6 the kernel looks for the protocol of "-p all" too, and drops
		// what has none; what is printed and read again does not.
		"-p all",
		"-f", "! -f", "-s 10.0.0.1", "! -s 10.0.0.1", "-s 10.0.0.0/8", "! -s 10.0.0.0/255.0.255.0", "-d 0.0.0.9/0.0.0.255", "! -d 192.0.2.9", "-s 0.0.0.0/0", "! -s 0.0.0.0/0", "-s 255.255.255.255", "-d 128.0.0.0/1", "-p tcp -f", "-f -p tcp -m tcp --dport 443", "! -f -p udp -m udp --dport 443",
	}, rules6: []string{
		"-s 2001:db8::1", "! -s 2001:db8::1", "-s 2001:db8::/32", "-d 2001:db8::9/ffff:ffff:0:ffff::ffff", "! -d ::9/::f", "-s ::/0", "! -s ::/0", "-d ff00::/8", "-s fe80::/10", "-p ipv6-nonxt", "-p mobility-header", "-p ipv6-frag", "-p ipv6-opts", "! -p ipv6-nonxt",
	}},
}
