package xt

// Tests with a memory, over time: the clock and the random numbers are the
// test's own.

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/stretchr/testify/require"
)

// stage is a packet, a State and a clock.
type stage struct {
	t   *testing.T
	tr  *Traversal
	now time.Time
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, tr: NewTraversal(rules.MustSchema(rules.Field{Name: "mark", Bits: 32})), now: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
	s.tr.State = &State{Now: func() time.Time { return s.now }, Random: func() uint32 { return 0 }}
	s.send("192.0.2.1", "198.51.100.1", 1000)
	return s
}

// send puts another packet on the stage: UDP from port 5000 to 53, TTL 64.
func (s *stage) send(src, dst string, length uint32) *stage {
	p := &s.tr.Packet
	*p = packet.Packet{Has: packet.HasProto | packet.HasPorts | packet.HasLength, Proto: packet.UDP, SrcPort: 5000, DstPort: 53, TTL: 64, Length: length}
	p.SetAddrs(netip.MustParseAddr(src), netip.MustParseAddr(dst))
	s.tr.Reset()
	return s
}

func (s *stage) wait(d time.Duration) *stage { s.now = s.now.Add(d); return s }

func (s *stage) ask(test rules.Test) bool {
	s.t.Helper()
	o, needs := test.Ask(s.tr)
	require.NotEqual(s.t, rules.Unsure, o, needs)
	require.NotEqual(s.t, rules.DropNow, o)
	return o == rules.Yes
}

// count asks n times and returns how often it held.
func (s *stage) count(n int, test rules.Test) (yes int) {
	s.t.Helper()
	for range n {
		if s.ask(test) {
			yes++
		}
	}
	return yes
}

func TestLimitGivesABurstAndThenItsRate(t *testing.T) {
	s := newStage(t)
	l, err := Limit(LimitScale/2, 3) // two a second
	require.NoError(t, err)
	require.Equal(t, 3, s.count(10, l))
	require.Equal(t, 0, s.wait(499*time.Millisecond).count(10, l), "a tick of 4 ms is missing")
	require.Equal(t, 1, s.wait(time.Millisecond).count(10, l))
	require.Equal(t, 2, s.wait(time.Second).count(10, l))
	require.Equal(t, 3, s.wait(time.Hour).count(10, l), "no more than the burst")
	s.wait(-time.Hour)
	require.Equal(t, 0, s.count(10, l), "a clock that goes back stands still")
	require.Equal(t, 1, s.wait(time.Hour+500*time.Millisecond).count(10, l))
}

func TestLimitCountsCreditsIn32Bits(t *testing.T) {
	const day = LimitScale * Day
	for _, bad := range [][2]uint32{{day, 2}, {day, 5}, {LimitScale, 0}, {day / 2, 4}} {
		_, err := Limit(bad[0], bad[1])
		require.ErrorIs(t, err, ErrOverflow)
	}
	s := newStage(t)
	l := must(Limit(day, 1))
	require.Equal(t, 1, s.count(2, l))
	require.Equal(t, 0, s.wait(23*time.Hour).count(2, l))
	require.Equal(t, 1, s.wait(time.Hour).count(2, l))
	// What is gained in 2^32/128 ticks comes to nothing.
	require.Equal(t, 0, s.wait((1<<25)*time.Second/HZ).count(2, l))
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func TestQuotaIsUsedUpByTheFirstPacketThatIsTooLarge(t *testing.T) {
	s := newStage(t)
	q, not := Quota(2500, false), Quota(2500, true)
	for _, want := range []bool{true, true, false, false} {
		left, ok := s.tr.State.QuotaLeft(q)
		require.True(t, ok)
		require.Equal(t, want, left >= 1000)
		require.Equal(t, want, s.ask(q))
		require.Equal(t, !want, s.ask(not))
	}
	require.False(t, s.send("192.0.2.1", "192.0.2.2", 1).ask(q), "nothing is left for small packets either")
	_, ok := s.tr.State.QuotaLeft(Nth(2, 0, false))
	require.False(t, ok)
	s.tr.Packet.Has &^= packet.HasLength
	o, needs := q.Ask(s.tr)
	require.Equal(t, rules.Unsure, o)
	require.Equal(t, needsLength, needs)
}

func TestStatisticTakesEveryNthPacketOrAChance(t *testing.T) {
	s := newStage(t)
	third, not := Nth(3, 1, false), Nth(3, 1, true)
	for i := range 12 {
		require.Equal(t, i%3 == 1, s.ask(third), i)
		require.Equal(t, i%3 != 1, s.ask(not), i)
	}
	draws := []uint32{0, 1<<29 - 1, 1 << 29, 1<<31 - 1, 1 << 31, 1<<31 + 1<<29, 1<<32 - 1}
	i := 0
	s.tr.State.Random = func() uint32 { i++; return draws[(i-1)%len(draws)] }
	quarter := Random(1<<29, false)
	for _, want := range []bool{true, true, false, false, true, false, false} { // the highest bit does not count
		require.Equal(t, want, s.ask(quarter), draws[i-1])
	}
	require.Equal(t, 7, s.count(7, Random(1<<31, false)))
	require.Equal(t, 0, s.count(7, Random(0, false)))
	require.Equal(t, 7, s.count(7, Random(0, true)))
}

// all addresses are told apart.
var noMask = [4]uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1}

func recentList(name string, hits uint32) *RecentList {
	l := &RecentList{Name: name, Mask: noMask}
	l.Keep(hits)
	return l
}

func TestRecentCountsThePacketsOfAnAddressInItsSeconds(t *testing.T) {
	s := newStage(t)
	l := recentList("x", 3)
	set := Recent(l, RecentRule{Op: RecentSet})
	three := Recent(l, RecentRule{Op: RecentCheck, Seconds: 10, Hits: 3})
	ever := Recent(l, RecentRule{Op: RecentCheck})
	require.False(t, s.ask(ever))
	for i, want := range []bool{false, false, true, true} {
		require.True(t, s.ask(set))
		require.Equal(t, want, s.ask(three), i)
		s.wait(3 * time.Second)
	}
	// At 0, 3, 6 and 9 seconds, and now it is 12.
	require.True(t, s.ask(three))
	require.True(t, s.wait(time.Second).ask(three), "10 seconds are within 10 seconds")
	require.False(t, s.wait(4*time.Millisecond).ask(three))
	require.True(t, s.ask(ever))
	require.False(t, s.send("192.0.2.2", "192.0.2.1", 60).ask(ever))
	require.True(t, s.ask(Recent(l, RecentRule{Op: RecentCheck, Dest: true})))
	entries := s.tr.State.RecentEntries("x")
	require.Len(t, entries, 1)
	require.Equal(t, "192.0.2.1", entries[0].Addr.String())
	require.Len(t, entries[0].Seen, 4)
	require.Equal(t, 9*time.Second, entries[0].Last.Sub(entries[0].Seen[0]))
	require.Empty(t, s.tr.State.RecentEntries("y"))
}

func TestRecentUpdatesRemovesAndNegates(t *testing.T) {
	s := newStage(t)
	l := recentList("x", 0)
	set, update := Recent(l, RecentRule{Op: RecentSet}), Recent(l, RecentRule{Op: RecentUpdate, Seconds: 5})
	require.False(t, s.ask(update), "updating does not add an address")
	require.True(t, s.ask(Recent(l, RecentRule{Op: RecentUpdate, Not: true})))
	require.Empty(t, s.tr.State.RecentEntries("x"))
	require.False(t, s.ask(Recent(l, RecentRule{Op: RecentSet, Not: true})), "adds all the same")
	for range 4 {
		require.True(t, s.wait(4*time.Second).ask(update), "each packet begins the time anew")
	}
	require.False(t, s.wait(6*time.Second).ask(update))
	require.False(t, s.ask(update))
	require.Len(t, s.tr.State.RecentEntries("x")[0].Seen, 5)
	require.True(t, s.ask(Recent(l, RecentRule{Op: RecentRemove})))
	require.False(t, s.ask(Recent(l, RecentRule{Op: RecentRemove})))
	require.True(t, s.ask(Recent(l, RecentRule{Op: RecentRemove, Not: true})))
	require.True(t, s.ask(set))

	// By the TTL: that of another packet is another address.
	same := Recent(l, RecentRule{Op: RecentCheck, TTL: true})
	require.True(t, s.ask(same))
	s.tr.Packet.TTL--
	require.False(t, s.ask(same))
	s.tr.Packet.SetIn("eth0")
	s.tr.Packet.SetOut("eth1")
	require.True(t, s.ask(same), "a forwarded packet has the TTL that it came with")
}

func TestRecentHoldsAHundredAddressesAndForgetsTheQuietest(t *testing.T) {
	s := newStage(t)
	l := recentList("x", 2)
	set, check := Recent(l, RecentRule{Op: RecentSet}), Recent(l, RecentRule{Op: RecentCheck})
	addr := func(i int) string { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String() }
	for i := range 100 {
		s.wait(time.Second).send(addr(i), "192.0.2.9", 60).ask(set)
	}
	s.send(addr(0), "192.0.2.9", 60).ask(set) // not the quietest any more
	s.send(addr(100), "192.0.2.9", 60).ask(set)
	require.Len(t, s.tr.State.RecentEntries("x"), 100)
	for i, want := range map[int]bool{0: true, 1: false, 2: true, 100: true} {
		require.Equal(t, want, s.send(addr(i), "192.0.2.9", 60).ask(check), i)
	}
	s.tr.State.RecentAddresses = 2
	require.True(t, s.send(addr(200), "192.0.2.9", 60).ask(set))
	require.False(t, s.send(addr(2), "192.0.2.9", 60).ask(check))

	// Reaping takes the quietest away when it was quiet for the seconds.
	reap := Recent(l, RecentRule{Op: RecentCheck, Seconds: 95, Reap: true})
	require.True(t, s.send(addr(200), "192.0.2.9", 60).ask(reap))
	require.Len(t, s.tr.State.RecentEntries("x"), 99)
	s.ask(reap)
	require.Equal(t, addr(4), s.tr.State.RecentEntries("x")[0].Addr.String(), "its 95 seconds are not over")

	// A rule that counts more packets than were kept begins the list anew.
	require.False(t, s.send(addr(200), "192.0.2.9", 60).ask(Recent(recentList("x", 40), RecentRule{Op: RecentCheck})))
}

func TestRecentKeepsNetworksWhenItsMaskSaysSo(t *testing.T) {
	s := newStage(t)
	l := &RecentList{Name: "x", Mask: [4]uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 0xffffff00}}
	l.Keep(0)
	require.True(t, s.ask(Recent(l, RecentRule{Op: RecentSet})))
	check := Recent(l, RecentRule{Op: RecentCheck})
	require.True(t, s.send("192.0.2.77", "192.0.2.1", 60).ask(check))
	require.False(t, s.send("192.0.3.1", "192.0.2.1", 60).ask(check))
}

func TestRateEstimatorsFollowTheRate(t *testing.T) {
	s := newStage(t)
	st := s.tr.State
	e := Estimator{Name: "e", Interval: 0, EWMALog: 1}
	fed := true
	bytes, packets := st.Rates("e")
	require.Zero(t, bytes+packets)
	for range 400 { // 10 packets of 1000 bytes a second, for 40 seconds
		st.Feed(e, 1000)
		s.wait(100 * time.Millisecond)
	}
	bytes, packets = st.Rates("e")
	require.InDelta(t, 10000, bytes, 2500)
	require.InDelta(t, 10, packets, 3)
	above := RateTest{Name1: "e", How: Greater, ByBytes: true, ByPackets: true, Bytes2: 5000, Packets2: 5}
	require.True(t, s.ask(above.Test()))
	above.Packets2 = 50
	require.False(t, s.ask(above.Test()), "both have to hold")
	require.True(t, s.ask(RateTest{Name1: "none", Name2: "e", Fed1: &fed, How: Less, ByBytes: true}.Test()))
	require.False(t, s.ask(RateTest{Name1: "none", Name2: "e", Fed1: &fed, How: Less, ByBytes: true, Not: true}.Test()))
	require.False(t, s.ask(RateTest{Name1: "none", Name2: "e", Fed1: &fed, How: Equal, ByPackets: true}.Test()))
	for _, r := range []RateTest{{Name1: "none", Name2: "e"}, {Name1: "e", Name2: "none"}, {Name1: "none", Fed1: new(bool), Not: true}} {
		o, needs := r.Test().Ask(s.tr)
		require.Equal(t, rules.Unsure, o)
		require.Equal(t, "the estimator none", needs)
	}
	delta := RateTest{Name1: "e", How: Less, ByBytes: true, Delta: true, Bytes1: 15000, Bytes2: 9000} // 15000 - 10000
	require.True(t, s.ask(delta.Test()))
	delta.Bytes1 = 30000
	require.False(t, s.ask(delta.Test()))
	s.wait(time.Minute)
	bytes, packets = st.Rates("e")
	require.Zero(t, bytes+packets)
	require.False(t, s.ask(above.Test()))
	s.wait(200 * 365 * 24 * time.Hour) // takes no time
	st.Feed(e, 1000)
	bytes, _ = st.Rates("e")
	require.Zero(t, bytes, "before the end of the interval")
}

func TestAccountsCountWhatReachesThemAndHaveQuotas(t *testing.T) {
	s := newStage(t)
	a := Accounting("a")
	o, needs := a.Ask(s.tr)
	require.Equal(t, rules.Unsure, o)
	require.Equal(t, "nfacct account a", needs)
	st := s.tr.State
	st.SetAccount("a", Account{})
	require.Equal(t, 3, s.count(3, a))
	got, ok := st.Account("a")
	require.True(t, ok)
	require.Equal(t, Account{Packets: 3, Bytes: 3000}, got)
	st.SetAccount("a", Account{HasQuota: true, Quota: 2500})
	require.Equal(t, 3, s.count(5, a), "true above the quota: of the 3rd packet on")
	st.SetAccount("b", Account{Packets: 8, HasQuota: true, QuotaPackets: true, Quota: 9})
	require.Equal(t, 1, s.count(2, Accounting("b")))
	require.Equal(t, []string{"a", "b"}, st.Accounts())
	st.DeleteAccount("b")
	_, ok = st.Account("b")
	require.False(t, ok)
}

func TestTimeIsAskedOfTheClock(t *testing.T) {
	always := TimeRule{To: 1<<31 - 1, DayTo: Day - 1, Weekdays: 0xfe, Monthdays: 0xfffffffe}
	rule := func(change func(*TimeRule)) TimeRule { r := always; change(&r); return r }
	night := func(r *TimeRule) { r.DayFrom, r.DayTo = 22*3600, 6*3600 }
	friday := func(r *TimeRule) { r.Weekdays = 1 << 5 }
	for name, c := range map[string]struct {
		rule    TimeRule
		yes, no []string
	}{
		"always":  {always, []string{"1970-01-01T00:00:00", "2024-02-29T23:59:59", "2038-01-19T03:14:07"}, []string{"2038-01-19T03:14:08", "1969-12-31T23:59:59"}},
		"dates":   {rule(func(r *TimeRule) { r.From, r.To = 1000, 2000 }), []string{"1970-01-01T00:16:40", "1970-01-01T00:33:20"}, []string{"1970-01-01T00:16:39", "1970-01-01T00:33:21"}},
		"morning": {rule(func(r *TimeRule) { r.DayFrom, r.DayTo = 8*3600, 12*3600 }), []string{"2024-05-06T08:00:00", "2024-05-06T12:00:00"}, []string{"2024-05-06T07:59:59", "2024-05-06T12:00:01"}},
		"night":   {rule(night), []string{"2024-05-06T22:00:00", "2024-05-06T00:00:00", "2024-05-06T06:00:00"}, []string{"2024-05-06T06:00:01", "2024-05-06T21:59:59"}},
		"friday":  {rule(friday), []string{"2024-05-10T12:00:00"}, []string{"2024-05-09T12:00:00", "2024-05-11T12:00:00"}},
		"sunday":  {rule(func(r *TimeRule) { r.Weekdays = 1 << 7 }), []string{"2024-05-12T12:00:00"}, []string{"2024-05-13T12:00:00"}},
		"friday night": {rule(func(r *TimeRule) { night(r); friday(r) }),
			[]string{"2024-05-10T23:00:00", "2024-05-10T01:00:00"}, []string{"2024-05-11T01:00:00", "2024-05-10T12:00:00"}},
		"friday night and what follows it": {rule(func(r *TimeRule) { night(r); friday(r); r.Contiguous = true }),
			[]string{"2024-05-10T23:00:00", "2024-05-11T01:00:00"}, []string{"2024-05-10T01:00:00", "2024-05-11T23:00:00"}},
		"days of the month": {rule(func(r *TimeRule) { r.Monthdays = 1<<29 | 1<<31 }), []string{"2024-02-29T00:00:00", "2024-05-31T00:00:00"}, []string{"2024-02-28T00:00:00"}},
	} {
		s := newStage(t)
		for want, list := range map[bool][]string{true: c.yes, false: c.no} {
			for _, at := range list {
				s.now = must(time.Parse("2006-01-02T15:04:05", at))
				require.Equal(t, want, s.ask(c.rule.Test()), "%s at %s", name, at)
				// In the kernel's zone an hour west it is an hour less.
				s.now = s.now.Add(time.Hour)
				s.tr.State.MinutesWest = 60
				zone := c.rule
				zone.KernelZone = true
				require.Equal(t, want, s.ask(zone.Test()), "%s at %s, an hour west", name, at)
			}
		}
	}
}

func TestTestsAreUnsureWithoutWhatTheyNeed(t *testing.T) {
	st := newStage(t)
	st.tr.State = nil
	hash := &HashTable{Name: "h", Family: 4, Average: HashScale, Burst: 1, Expire: 1, Sweep: 1}
	all := []rules.Test{must(Limit(1, 1)), Quota(1, false), Nth(1, 0, false), Recent(recentList("x", 0), RecentRule{}), HashLimit(hash, false, false, false),
		Accounting("a"), ConnLimit{}.Test(), RateTest{}.Test(), TimeRule{}.Test(), OSF{}.Test(), ConnBytes{}.Test(), Cluster{Nodes: 1}.Test(), SetLabel(1, false)}
	for _, x := range all {
		for _, sub := range []rules.Subject{st.tr, rules.KeyOnly(rules.Key{0, 0})} {
			o, needs := x.Ask(sub)
			require.Equal(t, rules.Unsure, o, "%T", x)
			require.NotEmpty(t, needs)
		}
	}
}

func TestMemoryBelongsToTheStateAndIsForgottenOnDemand(t *testing.T) {
	s := newStage(t)
	q, l := Quota(1000, false), recentList("x", 0)
	use := func() (ok [2]bool) {
		return [2]bool{s.ask(q), s.ask(Recent(l, RecentRule{Op: RecentUpdate}))}
	}
	s.ask(Recent(l, RecentRule{Op: RecentSet}))
	require.Equal(t, [2]bool{true, true}, use())
	require.Equal(t, [2]bool{false, true}, use())
	first := s.tr.State
	s.tr.State = &State{}
	require.Equal(t, [2]bool{true, false}, use(), "another State knows nothing of it")
	s.tr.State = first
	require.Equal(t, [2]bool{false, true}, use())
	first.ForgetRules()
	require.Equal(t, [2]bool{true, true}, use(), "lists have a name and stay")
	first.Reset()
	require.Equal(t, [2]bool{true, false}, use())
}

func TestStatesAreSharedByGoroutines(t *testing.T) {
	state := &State{}
	l := must(Limit(LimitScale*3600, 9))
	q := Quota(50*1000, false)
	list := recentList("x", 0)
	var mu sync.Mutex
	var wg sync.WaitGroup
	limited, bytes := 0, 0
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := newStage(t)
			s.tr.State = state
			a, b := 0, 0
			for i := range 50 {
				if o, _ := l.Ask(s.tr); o == rules.Yes {
					a++
				}
				if o, _ := q.Ask(s.tr); o == rules.Yes {
					b++
				}
				Recent(list, RecentRule{Op: RecentOp(i % 4)}).Ask(s.tr)
				ConnLimit{Mask: noMask}.Test().Ask(s.tr)
				state.RecentEntries("x")
				state.EndConnection(uint64(i))
			}
			mu.Lock()
			defer mu.Unlock()
			limited, bytes = limited+a, bytes+b
		}()
	}
	wg.Wait()
	require.Equal(t, 9, limited)
	require.Equal(t, 50, bytes)
}

func TestTestsWithAMemoryDoNotAllocateForAKnownPacket(t *testing.T) {
	s := newStage(t)
	s.conn(1)
	s.tr.State.SetAccount("a", Account{})
	hash := hashTable(HashSource|HashDestPort, nil)
	fed := true
	for _, test := range []rules.Test{must(Limit(1, 1)), Quota(1<<40, false), Nth(2, 0, false), Random(5, false), Recent(recentList("x", 3), RecentRule{Op: RecentCheck, Hits: 3}),
		Recent(recentList("x", 3), RecentRule{Op: RecentUpdate}), HashLimit(hash, false, false, false), Accounting("a"), ConnLimit{Mask: noMask}.Test(),
		RateTest{Name1: "a", Name2: "b", Fed1: &fed, Fed2: &fed}.Test(), TimeRule{}.Test(), ConnBytes{}.Test(), Cluster{Nodes: 1}.Test(), SetLabel(1, false)} {
		s.ask(test)
		require.Zero(t, testing.AllocsPerRun(100, func() { test.Ask(s.tr) }), "%T", test)
	}
}
