//go:build linux

package kernel

// Cases of matches with a memory. The rates are so slow that no credit comes
// back while the test runs; what depends on the time of day is compared with
// the clock that both sides share.

import (
	"fmt"
	"time"
)

// talk is a sequence of small packets between few hosts, so that each of them
// comes again and again.
func talk(family int) (list []shot) {
	src := []string{"10.0.0.1", "10.0.0.2", "10.0.1.2", "10.1.0.1"}
	dst := []string{"192.0.2.9", "192.0.2.10", "198.51.100.1"}
	if family == 6 {
		src = []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::2", "2001:db8:1::1"}
		dst = []string{"2001:db8:9::9", "2001:db8:9::a", "2001:db8:8::1"}
	}
	for i := range 160 {
		h := head{src: src[i*7%11%4], dst: dst[i*5%13%3], ttl: uint8(60 + i*3%7%3), size: 60 + i*37%200}
		l4 := udp(1000+i%3, 53+i%2, 0)
		if h.proto = 17; i%4 == 3 {
			h.proto, l4 = 6, tcp(2000+i%2, 80, syn)
		}
		list = append(list, shot{name: fmt.Sprintf("talk %d", i), raw: h.ip(family, l4)})
	}
	return list
}

// hours returns a window of the day around now, in hours that begin and end
// that long before and behind it.
func hours(from, to int) (start, stop string) {
	now := time.Now().UTC()
	return now.Add(time.Duration(from) * time.Hour).Format("15:04:05"), now.Add(time.Duration(to) * time.Hour).Format("15:04:05")
}

func timeRules() []string {
	now := time.Now().UTC()
	start, stop := hours(-2, 2)
	early, late := hours(3, 6)
	day := now.Weekday().String()[:3]
	other := now.AddDate(0, 0, 3).Weekday().String()[:3]
	// A day's window is contiguous only over midnight.
	over := "-m time --timestart " + max(start, stop) + " --timestop " + min(start, stop) + " --contiguous"
	date := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05") }
	return []string{
		"-m time --timestart " + start + " --timestop " + stop,
		"-m time --timestart " + early + " --timestop " + late,
		"-m time --timestart " + stop + " --timestop " + start,
		over,
		"-m time --datestart " + date(-time.Hour) + " --datestop " + date(time.Hour),
		"-m time --datestart " + date(time.Hour),
		"-m time --datestop " + date(-time.Hour),
		"-m time --datestart 2000-01-01T00:00:00 --datestop 2038-01-19T03:14:07",
		"-m time --weekdays " + day, "-m time ! --weekdays " + day, "-m time --weekdays " + other, "-m time --weekdays Sat,Sun", "-m time ! --weekdays Sat,Sun",
		fmt.Sprintf("-m time --monthdays %d", now.Day()), fmt.Sprintf("-m time ! --monthdays %d", now.Day()), "-m time --monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
		"-m time --timestart " + start + " --timestop " + stop + " --weekdays " + day + " --kerneltz",
		"-m time --timestart " + start + " --timestop " + stop + " --utc",
	}
}

var plainState = []matches{
	{kind: "match", name: "limit", shots: talk, rules: []string{
		"-m limit --limit 1/hour --limit-burst 5", "-m limit --limit 1/hour --limit-burst 1", "-m limit", "-p tcp -m limit --limit 2/hour --limit-burst 20", "-m limit --limit 1/hour --limit-burst 500", "-p udp -m udp --dport 53 -m limit --limit 3/hour --limit-burst 7", "-m limit --limit 10/day -p tcp", "-m limit --limit 1/hour --limit-burst 10 -m limit --limit 1/hour --limit-burst 3",
	}},
	{kind: "match", name: "hashlimit", shots: talk, noPool: true, rules: []string{
		"-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name a1", "-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name a2", "-m hashlimit --hashlimit-upto 1/hour --hashlimit-mode srcip,dstip,srcport,dstport --hashlimit-name a3 --hashlimit-burst 2", "-m hashlimit --hashlimit-upto 2/hour --hashlimit-name a4 --hashlimit-burst 12",
		"-p udp -m hashlimit --hashlimit-upto 1/hour --hashlimit-mode dstport --hashlimit-name a5 --hashlimit-burst 3", "-m hashlimit --hashlimit-above 1/day --hashlimit-mode dstip --hashlimit-name a6 --hashlimit-burst 3",
		"-m hashlimit --hashlimit-upto 1b/s --hashlimit-burst 700b --hashlimit-mode srcip --hashlimit-name a9", "-m hashlimit --hashlimit-above 1b/s --hashlimit-burst 900b --hashlimit-mode dstip --hashlimit-name a10",
	}[:6], rules4: []string{
		"-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 6 --hashlimit-mode srcip --hashlimit-name a9 --hashlimit-htable-size 100 --hashlimit-htable-max 2 --hashlimit-htable-expire 100000 --hashlimit-htable-gcinterval 100000",
		"-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name a11 --hashlimit-rate-match --hashlimit-rate-interval 3600",
		"-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-srcmask 24 --hashlimit-name a7", "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode dstip,srcip --hashlimit-srcmask 8 --hashlimit-dstmask 31 --hashlimit-name a8",
	}, rules6: []string{
		"-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-srcmask 64 --hashlimit-name a7", "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode dstip,srcip --hashlimit-srcmask 32 --hashlimit-dstmask 127 --hashlimit-name a8",
	}},
	{kind: "match", name: "hashlimit by ports", rules: []string{"-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-mode srcport,dstport --hashlimit-name b1", "-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 2 --hashlimit-mode srcip,dstport --hashlimit-name b2"}, shots: func(family int) (list []shot) {
		if family == 6 {
			for _, first := range []int{0, 3} {
				for _, second := range []int{0, 5} {
					two := []ext{frag6(first, true, 9), frag6(second, true, 9)}
					list = append(list, shot{name: "two fragment headers", raw: head{proto: 17, ext: two}.ip(6, udp(7, 8, 0))}, shot{name: "two fragment headers", raw: head{proto: 6, ext: two}.ip(6, tcp(9, 10, syn))})
				}
			}
		}
		return list
	}},
	{kind: "match", name: "recent", shots: talk, noPool: true, rules: []string{
		"-m recent --set --name r1 --rsource", "-m recent --rcheck --name r1 --rsource", "-m recent --rcheck --hitcount 3 --name r1 --rsource", "-m recent ! --rcheck --hitcount 5 --name r1 --rsource", "-m recent ! --set --name r2 --rdest", "-m recent --update --name r2 --rdest", "-m recent --rcheck --seconds 3600 --hitcount 10 --name r2 --rdest",
		"-p tcp -m recent --set --name r3 --rsource", "-m recent --update --seconds 3600 --hitcount 4 --name r3 --rsource", "-p udp -m udp --dport 54 -m recent --remove --name r3 --rsource", "-m recent --rcheck --name r3 --rsource", "-m recent --rcheck --name r9 --rsource", "-m recent ! --rcheck --name r9 --rsource",
		"-m recent --set --name r4 --rsource", "-m recent --rcheck --hitcount 2 --rttl --name r4 --rsource", "-m recent --rcheck --rttl --name r4 --rsource", "-m recent ! --remove --name r5 --rdest", "-m recent --rcheck --seconds 3600 --reap --name r4 --rsource", "-m recent --update --hitcount 19 --name r4 --rsource",
	}, rules4: []string{"-m recent --set --name r6 --mask 255.255.255.0 --rsource", "-m recent --rcheck --hitcount 6 --name r6 --mask 255.255.255.0 --rsource"},
		rules6: []string{"-m recent --set --name r6 --mask ffff:ffff:ffff:ffff:: --rsource", "-m recent --rcheck --hitcount 6 --name r6 --mask ffff:ffff:ffff:ffff:: --rsource"}},
	{kind: "match", name: "quota", shots: talk, noPool: true, rules: []string{
		"-m quota --quota 599", "-m quota ! --quota 599", "-m quota --quota 0", "-m quota ! --quota 0", "-m quota --quota 18446744073709551615", "-p tcp -m quota --quota 2000", "-m quota --quota 60", "-m quota --quota 59", "-p udp -m quota --quota 5000 -m quota --quota 3000",
	}},
	{kind: "match", name: "statistic --mode nth", shots: talk, rules: []string{
		"-m statistic --mode nth --every 1 --packet 0", "-m statistic --mode nth --every 2 --packet 0", "-m statistic --mode nth --every 3 --packet 1", "-m statistic --mode nth --every 3 --packet 2", "-m statistic --mode nth ! --every 4 --packet 0", "-p tcp -m statistic --mode nth --every 5 --packet 4", "-m statistic --mode nth --every 1000 --packet 0", "-m statistic --mode nth ! --every 2 --packet 1", "-m statistic --mode nth --every 2 --packet 0 -p udp -m statistic --mode nth --every 3 --packet 0",
	}},
	{kind: "match", name: "statistic --mode random, certain", shots: talk, noPool: true, rules: []string{
		"-m statistic --mode random --probability 0", "-m statistic --mode random ! --probability 0", "-m statistic --mode random --probability 1", "-m statistic --mode random ! --probability 1",
	}[:2]},
	{kind: "match", name: "rateest", shots: talk, noPool: true, head: []string{"-j RATEEST --rateest-name hipac1 --rateest-interval 250ms --rateest-ewmalog 500ms"}, rules: []string{
		"-m rateest --rateest hipac1 --rateest-lt --rateest-pps 1000000", "-m rateest --rateest hipac1 --rateest-gt --rateest-bps 100Mbit", "-m rateest --rateest hipac1 ! --rateest-lt --rateest-bps 100Mbit",
	}},
	{kind: "match", name: "time", shots: talk, noPool: true, rules: timeRules()},
}
