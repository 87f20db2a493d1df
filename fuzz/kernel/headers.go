//go:build linux

package kernel

// Cases of matches on headers of other protocols and on IPv6 extension headers.

var plainMore = []matches{
	{kind: "match", name: "tcpmss", rules: []string{
		"-p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 1460", "-p tcp -m tcpmss --mss 1460", "-p tcp -m tcpmss ! --mss 1460", "-p tcp -m tcpmss --mss 0", "-p tcp -m tcpmss --mss 65535", "-p tcp -m tcpmss --mss 0:255", "-p tcp -m tcpmss ! --mss 256:1460", "-p tcp -m tcpmss --mss 0:65535", "-p tcp -m tcpmss ! --mss 0:65535",
	}},
	{kind: "match", name: "esp", rules: []string{
		"-p esp -m esp --espspi 500", "-p esp -m esp ! --espspi 500", "-p esp -m esp --espspi 0", "-p esp -m esp --espspi 1:500", "-p esp -m esp ! --espspi 501:4294967295", "-p esp -m esp --espspi 0:4294967295", "-p esp -m esp ! --espspi 0:4294967295", "-p esp -m esp --espspi 0x80000000", "-p esp -m esp", "-p esp -m esp --espspi 2147483647:2147483648",
	}},
	{kind: "match", name: "ah", family: 4, rules: []string{
		"-p ah -m ah --ahspi 500", "-p ah -m ah ! --ahspi 500", "-p ah -m ah --ahspi 0", "-p ah -m ah --ahspi 1:500", "-p ah -m ah ! --ahspi 501:4294967295", "-p ah -m ah --ahspi 0:4294967295", "-p ah -m ah ! --ahspi 0:4294967295", "-p ah -m ah", "-p ah -m ah --ahspi 4294967295",
	}},
	{kind: "match", name: "ah", family: 6, rules: []string{
		"-m ah --ahspi 500", "-m ah ! --ahspi 500", "-m ah --ahspi 0", "-m ah --ahspi 1:500", "-m ah ! --ahspi 501:4294967295", "-m ah --ahspi 0:4294967295", "-m ah ! --ahspi 0:4294967295", "-m ah", "-m ah --ahspi 4294967295",
		"-m ah --ahlen 24", "-m ah ! --ahlen 24", "-m ah --ahlen 48", "-m ah --ahres", "-m ah --ahspi 0:500 ! --ahlen 40 --ahres",
	}},
	{kind: "match", name: "ipcomp", rules: []string{
		"-p ipcomp -m ipcomp --ipcompspi 500", "-p ipcomp -m ipcomp ! --ipcompspi 500", "-p ipcomp -m ipcomp --ipcompspi 0", "-p ipcomp -m ipcomp --ipcompspi 1:500", "-p ipcomp -m ipcomp ! --ipcompspi 501:65535", "-p ipcomp -m ipcomp --ipcompspi 65535", "-p ipcomp -m ipcomp --ipcompspi 0:65535", "-p ipcomp -m ipcomp --ipcompspi 500 --compres", "-p ipcomp -m ipcomp --ipcompspi 0:", "-p ipcomp -m ipcomp ! --ipcompspi 0: --compres",
	}, shots: laterFragments(108)},
	{kind: "match", name: "frag", family: 6, rules: []string{
		"-m frag", "-m frag --fraglen 8", "-m frag ! --fraglen 8", "-m frag --fraglen 0", "-m frag --fragid 9", "-m frag ! --fragid 9", "-m frag --fragid 0:500", "-m frag ! --fragid 501:4294967295", "-m frag --fragid 4294967295", "-m frag --fragres", "-m frag --fragfirst", "-m frag --fragmore", "-m frag --fraglast", "-m frag --fragfirst --fragmore", "-m frag --fragid 77 --fragres --fragfirst", "-m frag --fragid 0:4294967295 --fraglast",
	}, shots: func(int) []shot {
		res := frag6(0, true, 9)
		res.body[1] = 4
		bits := frag6(3, true, 9)
		bits.body[3] |= 6
		return []shot{{name: "reserved byte", raw: head{proto: 17, ext: []ext{res}}.ip(6, udp(1, 2, 0))}, {name: "reserved bits", raw: head{proto: 17, ext: []ext{bits}}.ip(6, udp(1, 2, 0))}}
	}},
	{kind: "match", name: "rt", family: 6, rules: []string{
		"-m rt", "-m rt --rt-type 0", "-m rt ! --rt-type 0", "-m rt --rt-type 2", "-m rt --rt-segsleft 1", "-m rt ! --rt-segsleft 1", "-m rt --rt-segsleft 0:1", "-m rt --rt-segsleft 2:4294967295", "-m rt --rt-len 24", "-m rt ! --rt-len 24", "-m rt --rt-len 40",
		"-m rt --rt-type 0 --rt-0-res", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::77", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::77,2001:db8::78", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::78 --rt-0-not-strict", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::77 --rt-0-not-strict", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::78",
		"-m rt --rt-type 0 --rt-segsleft 2 --rt-len 40 --rt-0-res --rt-0-addrs 2001:db8::77,2001:db8::78 --rt-0-not-strict", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::78,2001:db8::77 --rt-0-not-strict",
	}, shots: func(int) []shot {
		res := route(0, 1, "2001:db8::77")
		res.body[7] = 1
		odd := route(0, 1, "2001:db8::77")
		odd.body[1] = 1 // half an address
		odd.body = odd.body[:16]
		return []shot{
			{name: "reserved bits", raw: head{proto: 17, ext: []ext{res}}.ip(6, udp(1, 2, 0))},
			{name: "half an address", raw: head{proto: 17, ext: []ext{odd}}.ip(6, udp(1, 2, 0))},
			{name: "three addresses", raw: head{proto: 17, ext: []ext{route(0, 3, "2001:db8::77", "2001:db8::99", "2001:db8::78")}}.ip(6, udp(1, 2, 0))},
			{name: "routing header behind options", raw: head{proto: 17, ext: []ext{options(dstOpts), route(0, 1, "2001:db8::77")}}.ip(6, udp(1, 2, 0))},
		}
	}},
	{kind: "match", name: "hbh", family: 6, rules: []string{
		"-m hbh", "-m hbh --hbh-len 8", "-m hbh ! --hbh-len 8", "-m hbh --hbh-len 16", "-m hbh --hbh-opts 5", "-m hbh --hbh-opts 5:2", "-m hbh --hbh-opts 1:4", "-m hbh --hbh-opts 1", "-m hbh --hbh-opts 1:3,5:2", "-m hbh --hbh-opts 1,5:2,1", "-m hbh --hbh-opts 5,1", "-m hbh --hbh-len 16 --hbh-opts 1", "-m hbh --hbh-opts 1:4,5", "-m hbh --hbh-opts 1,9:4", "-m hbh --hbh-opts 9",
	}, shots: optionShots(hopByHop)},
	{kind: "match", name: "dst", family: 6, rules: []string{
		"-m dst", "-m dst --dst-len 8", "-m dst ! --dst-len 8", "-m dst --dst-len 24", "-m dst --dst-opts 201", "-m dst --dst-opts 201:16", "-m dst --dst-opts 1:4", "-m dst --dst-opts 1", "-m dst --dst-opts 201:15", "-m dst --dst-opts 5:2,1", "-m dst --dst-opts 0", "-m dst --dst-opts 201,1:2", "-m dst --dst-opts 1,9:4,1", "-m dst --dst-opts 9",
	}, shots: optionShots(dstOpts)},
	{kind: "match", name: "ipv6header", family: 6, rules: []string{
		"-m ipv6header --header hop-by-hop --soft", "-m ipv6header --header hop-by-hop", "-m ipv6header --header none", "-m ipv6header --header none --soft", "-m ipv6header --header ipv6-route --soft", "-m ipv6header --header ipv6-frag --soft", "-m ipv6header --header auth --soft", "-m ipv6header --header esp", "-m ipv6header --header esp --soft", "-m ipv6header --header ipv6-opts --soft", "-m ipv6header --header protocol", "-m ipv6header --header protocol --soft",
		"-m ipv6header --header hop-by-hop,protocol", "-m ipv6header --header ipv6-frag,protocol", "-m ipv6header ! --header hop-by-hop --soft", "-m ipv6header ! --header hop-by-hop,protocol", "-m ipv6header --header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,auth,protocol", "-m ipv6header --header hop-by-hop,ipv6-opts --soft", "-m ipv6header --header auth,none",
	}},
	{kind: "match", name: "mh", family: 6, rules: []string{
		"-p ipv6-mh -m mh", "-p ipv6-mh -m mh --mh-type 1", "-p ipv6-mh -m mh ! --mh-type 1", "-p ipv6-mh -m mh --mh-type binding-update", "-p ipv6-mh -m mh --mh-type 0:5", "-p ipv6-mh -m mh ! --mh-type 3:7", "-p ipv6-mh -m mh --mh-type 0", "-p ipv6-mh -m mh --mh-type 19", "-p ipv6-mh -m mh --mh-type 8:255", "-p ipv6-mh -m mh --mh-type brr:cot",
	}},
	{kind: "match", name: "srh", family: 6, rules: []string{
		"-m srh", "-m srh --srh-next-hdr 6", "-m srh ! --srh-next-hdr 6", "-m srh --srh-hdr-len-eq 4", "-m srh ! --srh-hdr-len-eq 4", "-m srh --srh-hdr-len-gt 4", "-m srh --srh-hdr-len-lt 5", "-m srh --srh-segs-left-eq 1", "-m srh --srh-segs-left-gt 0", "-m srh --srh-segs-left-lt 1", "-m srh ! --srh-segs-left-lt 1",
		"-m srh --srh-last-entry-eq 1", "-m srh --srh-last-entry-gt 1", "-m srh --srh-last-entry-lt 2", "-m srh --srh-tag 4660", "-m srh ! --srh-tag 4660", "-m srh --srh-tag 0",
		"-m srh --srh-psid 2001:db8::a2/128", "-m srh ! --srh-psid 2001:db8::a2/128", "-m srh --srh-nsid 2001:db8::a1/128", "-m srh --srh-nsid 2001:db8::/32", "-m srh --srh-lsid 2001:db8::a1/128", "-m srh ! --srh-lsid 2001:db8::a1/128", "-m srh --srh-psid 2001:db8::a3/127",
	}, shots: func(int) []shot {
		var list []shot
		for left := range uint8(4) {
			for last := range uint8(4) {
				list = append(list, shot{name: "segments", raw: head{proto: 17, ext: []ext{srh(0, last, left, 7, "2001:db8::a1", "2001:db8::a2", "2001:db8::a3")}}.ip(6, udp(1, 2, 0))})
			}
		}
		return append(list, shot{name: "behind options", raw: head{proto: 17, ext: []ext{options(dstOpts), srh(0, 1, 1, 7, "2001:db8::a1", "2001:db8::a2")}}.ip(6, udp(1, 2, 0))})
	}},
	// Tests that may drop a packet in front of conditions, and tests with a
	// memory in front of headers that are cut.
	{kind: "match", name: "in front of conditions", rules: []string{
		"-p sctp -m sctp --chunk-types any DATA -m length --length 0:1", "-p sctp -m sctp --chunk-types all DATA -m length --length 40:", "-p dccp -m dccp ! --dccp-option 2 -m length --length 0:1",
		"-p tcp -m limit --limit 1/hour --limit-burst 10000 -m multiport --dports 80", "-p udp -m limit --limit 1/hour --limit-burst 10000 -m multiport --ports 1:65535", "-p tcp -m limit --limit 1/hour --limit-burst 10000 -m tcp --dport 80", "-p sctp -m limit --limit 1/hour --limit-burst 10000 -m multiport ! --sports 80",
	}, shots: func(family int) (list []shot) {
		for _, cut := range []int{2, 3, 4, 8, 13, 19} {
			list = append(list, shot{name: "cut tcp", raw: head{proto: 6, cut: cut}.ip(family, tcp(5, 80, syn))}, shot{name: "cut sctp", raw: head{proto: 132, cut: min(cut, 12)}.ip(family, []byte{0xe3, 0xf5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})})
		}
		return append(list, shot{name: "a chunk of nothing", raw: head{tos: 2, proto: 132}.ip(family, []byte{0xe3, 0xf5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})})
	}},
	{kind: "match", name: "eui64", family: 6, rules: []string{"-m eui64", "-m eui64 -p tcp"}},
}

// laterFragments are fragments of a protocol that are not the first.
func laterFragments(proto uint8) func(int) []shot {
	return func(family int) []shot {
		h := head{proto: proto, frag: 100 / 8, id: 0xb948}
		if family == 6 {
			h = head{proto: proto, ext: []ext{frag6(100/8, true, 9)}}
		}
		return []shot{{name: "a later fragment", raw: h.ip(family, make([]byte, 12))}}
	}
}

// optionShots are packets with a header of options.
func optionShots(number uint8) func(int) []shot {
	return func(int) (list []shot) {
		for _, opts := range byName(map[string][]byte{
			"alert":         {5, 2, 0, 0},
			"pads":          {0, 0, 1, 0, 1, 0},
			"pad and alert": {1, 0, 5, 2, 0, 0},
			"alert and pad": {5, 2, 0, 1, 1, 0},
			"router":        {1, 2, 0, 0, 9, 4, 0, 0, 0, 0, 5, 2, 0, 0},
		}) {
			list = append(list, shot{name: "options", raw: head{proto: 17, ext: []ext{options(number, opts...)}}.ip(6, udp(1, 2, 0))})
		}
		if number == dstOpts { // a hop-by-hop header like this is dropped before
			beyond := options(number, 77, 9, 1, 1)
			long := options(number, 5, 2, 0, 0)
			long.body[1] = 30
			list = append(list, shot{name: "an option beyond its header", raw: head{proto: 17, ext: []ext{beyond}}.ip(6, udp(1, 2, 0))},
				shot{name: "a header beyond the packet", raw: head{proto: 17, ext: []ext{long}}.ip(6, udp(1, 2, 0))},
				shot{name: "a header without room", raw: head{proto: 17, ext: []ext{{dstOpts, []byte{0, 0, 5}}}}.ip(6, nil)},
				shot{name: "two headers", raw: head{proto: 17, ext: []ext{options(number, 5, 2, 0, 0), options(number, 201, 1, 1, 0)}}.ip(6, udp(1, 2, 0))})
		}
		return list
	}
}
