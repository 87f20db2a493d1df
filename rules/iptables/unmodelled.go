package iptables

// Matches and targets that have a name and options here but no meaning yet.
// Their options are listed so that a rule can be taken apart, and each part
// said to be known or not; a module leaves this list when it gets an entry of
// its own.

import "strings"

// notModelledText has a line per module: kind, name, family (0: both), and
// its options. An option takes one word unless "/N" says how many, or "?"
// that it takes one when the next word is not an option; "!" marks those that
// may be negated.
const notModelledText = `
match cluster 0 cluster-total-nodes cluster-local-node! cluster-local-nodemask! cluster-hash-seed
match connbytes 0 connbytes! connbytes-dir connbytes-mode
match connlabel 0 label! set/0
match connlimit 0 connlimit-upto! connlimit-above! connlimit-mask connlimit-saddr/0 connlimit-daddr/0
match connmark 0 mark!
match hashlimit 0 hashlimit! hashlimit-upto! hashlimit-above! hashlimit-srcmask hashlimit-dstmask hashlimit-burst hashlimit-mode hashlimit-name hashlimit-htable-size hashlimit-htable-max hashlimit-htable-gcinterval hashlimit-htable-expire hashlimit-rate-match/0 hashlimit-rate-interval
match helper 0 helper!
match limit 0 limit limit-burst
match nfacct 0 nfacct-name
match osf 4 genre! ttl log
match quota 0 quota!
match rateest 0 rateest1 rateest rateest2 rateest-bps1? rateest-pps1? rateest-bps2? rateest-pps2? rateest-bps? rateest-pps? rateest-delta/0 rateest-lt!/0 rateest-gt!/0 rateest-eq!/0
match recent 0 set!/0 rcheck!/0 update!/0 remove!/0 seconds reap/0 hitcount rttl/0 name rsource/0 rdest/0 mask
match statistic 0 mode probability! every! packet
match time 0 datestart datestop timestart timestop contiguous/0 weekdays! monthdays! localtz/0 utc/0 kerneltz/0
target CLUSTERIP 4 new/0 hashmode clustermac total-nodes local-node hash-init
target CT 0 notrack/0 helper ctevents expevents zone zone-orig zone-reply timeout
target DNAT 0 to-destination random/0 random-fully/0 persistent/0
target HMARK 0 hmark-tuple hmark-src-prefix hmark-dst-prefix hmark-sport-mask hmark-dport-mask hmark-spi-mask hmark-sport hmark-dport hmark-spi hmark-proto-mask hmark-rnd hmark-mod hmark-offset
target MASQUERADE 0 to-ports random/0 random-fully/0
target NETMAP 0 to
target NOTRACK 0
target REDIRECT 0 to-ports random/0
target SAME 4 to nodst/0 random/0
target SET 0 add-set/2 del-set/2 map-set/2 exist/0 timeout map-mark/0 map-prio/0 map-queue/0
target SNAT 0 to-source random/0 random-fully/0 persistent/0
target SYNPROXY 0 sack-perm/0 timestamp/0 wscale mss ecn/0
target TPROXY 0 on-port on-ip tproxy-mark
`

func notModelled() []module {
	var list []module
	for _, line := range strings.Split(strings.TrimSpace(notModelledText), "\n") {
		f := strings.Fields(line)
		m := module{kind: f[0], name: f[1], family: int(f[2][0] - '0')}
		for _, o := range f[3:] {
			opt := option{words: 1}
			if name, n, ok := strings.Cut(o, "/"); ok {
				o, opt.words = name, int(n[0]-'0')
			}
			if name, ok := strings.CutSuffix(o, "?"); ok {
				o, opt.words = name, optionalWord
			}
			opt.name, opt.not = strings.CutSuffix(o, "!")
			m.options = append(m.options, opt)
		}
		list = append(list, m)
	}
	return list
}

// optionalWord is the number of words of an option whose value may be left out.
const optionalWord = -1
