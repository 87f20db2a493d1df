package hipac_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/saved"
	"github.com/hipac-go/classifier/rules/xt"
)

func Example() {
	s := rules.IPv4Tuple
	list, err := rules.NewList(s,
		rules.Rule[string]{Conds: s.MustConds("src=10.0.0.0/8 dport=22,443 proto=tcp"), Value: "staff"},
		rules.Rule[string]{Conds: s.MustConds("dst=192.0.2.0/24 dport=80-89 proto=tcp"), Value: "web"},
		rules.Rule[string]{Value: "deny"})
	if err != nil {
		log.Fatal(err)
	}
	c, err := hipac.Build(context.Background(), list, nil)
	if err != nil {
		log.Fatal(err)
	}
	from, to := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("192.0.2.7")
	m, ok := c.LookupTuple(rules.Tuple{Src: from, Dst: to, SrcPort: 40000, DstPort: 80, Proto: 6})
	fmt.Println(ok, m.Position, m.Value)
	// Output: true 1 web
}

// The fastest way for IPv4: numbers in, a position out, nothing allocated.
func ExampleClassifier_Position() {
	l, err := rules.NewList(rules.IPv4Tuple,
		rules.Rule[int]{Conds: []rules.Cond{rules.In(3, rules.Span(0, 1023))}, Value: 7},
		rules.Rule[int]{Value: 8})
	if err != nil {
		log.Fatal(err)
	}
	c, err := hipac.Build(context.Background(), l, nil)
	if err != nil {
		log.Fatal(err)
	}
	t := rules.Tuple4{Src: 0x0a000001, Dst: 0x0a000002, DstPort: 443, Proto: 6}
	k := t.Key()
	fmt.Println(c.Position(k[:]))
	// Output: 0 true
}

// A list that is edited while lookups go on. A snapshot stays what it is.
func ExampleLive() {
	ctx := context.Background()
	s := rules.IPv4Tuple
	list, err := rules.NewList(s,
		rules.Rule[string]{Conds: s.MustConds("dport=22"), Value: "ssh"},
		rules.Rule[string]{Value: "deny"})
	if err != nil {
		log.Fatal(err)
	}
	live, err := hipac.NewLive(ctx, list, nil)
	if err != nil {
		log.Fatal(err)
	}
	before := live.Snapshot()
	err = live.Edit(ctx, func(tx *hipac.Tx[string]) error {
		if err := tx.Delete(1); err != nil { // the rule for ssh
			return err
		}
		_, err := tx.InsertBefore(2, rules.Rule[string]{Conds: s.MustConds("dport=443"), Value: "web"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, port := range []uint16{22, 443} {
		t := rules.Tuple4{DstPort: port, Proto: 6}
		k := t.Key()
		old, _ := before.Lookup(k[:])
		now, _ := live.Lookup(k[:])
		fmt.Println(port, old.Value, now.Value)
	}
	// Output:
	// 22 ssh deny
	// 443 deny web
}

// A whole new list takes the place of the live one: rules that are in both keep
// their identities, and with them their counters.
func ExampleLive_Apply() {
	ctx := context.Background()
	list := func(ports ...string) *rules.List[string] {
		b := rules.NewBuilder[string](rules.IPv4Tuple)
		for _, p := range ports {
			if _, err := b.Add(rules.Rule[string]{Conds: rules.IPv4Tuple.MustConds("dport=" + p), Value: "accept"}); err != nil {
				log.Fatal(err)
			}
		}
		return b.List()
	}
	live, err := hipac.NewLive(ctx, list("22", "80", "443"), nil)
	if err != nil {
		log.Fatal(err)
	}
	a, err := live.Apply(ctx, list("53", "443", "22"), rules.ComparableValues[string]())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Kept, "kept,", a.Inserted, "inserted,", a.Deleted, "deleted,", a.Moved, "moved")
	fmt.Println(a.Script.Edits)
	fmt.Println(a.IDs)
	// Output:
	// 1 kept, 1 inserted, 1 deleted, 1 moved
	// [delete 2 insert 0 move 1 to 2]
	// [4 3 1]
}

// A rule that continues is recorded and evaluation goes on, like LOG.
func ExampleClassifier_Executed() {
	web, _ := rules.IPv4Tuple.ParseConds("dport=80")
	l, err := rules.NewList(rules.IPv4Tuple,
		rules.Rule[string]{Value: "count all", Continue: true},
		rules.Rule[string]{Conds: web, Value: "log web", Continue: true},
		rules.Rule[string]{Conds: web, Value: "accept"})
	if err != nil {
		log.Fatal(err)
	}
	c, err := hipac.Build(context.Background(), l, nil)
	if err != nil {
		log.Fatal(err)
	}
	k := rules.Tuple4{DstPort: 80}.Key()
	for _, m := range c.Executed(k[:], nil) {
		fmt.Println(m.Value)
	}
	// Output:
	// count all
	// log web
	// accept
}

// Tables of chains come from iptables-save text (package rules/iptables) or
// are made by hand.
func ExampleTable_Evaluate() {
	s := rules.Firewall
	ssh, _ := s.ParseConds("dport=22 proto=tcp")
	input, err := rules.NewList(s, rules.Rule[rules.Action]{Conds: ssh, Value: rules.Action{Kind: rules.Jump, Chain: 1}})
	if err != nil {
		log.Fatal(err)
	}
	inside, _ := s.ParseConds("src=10.0.0.0/8")
	remote, err := rules.NewList(s, rules.Rule[rules.Action]{Conds: inside, Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept}})
	if err != nil {
		log.Fatal(err)
	}
	table := &rules.Table{Name: "filter", Schema: s, Chains: []rules.Chain{
		{Name: "INPUT", Policy: rules.Drop, Rules: input}, {Name: "remote", Rules: remote}}}
	if err := table.Check(rules.Limits{}); err != nil {
		log.Fatal(err)
	}
	c, err := hipac.BuildTable(context.Background(), table, nil)
	if err != nil {
		log.Fatal(err)
	}
	k := s.NewKey()
	s.SetTuple(k, rules.Tuple{Src: netip.MustParseAddr("10.0.0.9"), Dst: netip.MustParseAddr("10.0.0.1"), DstPort: 22, Proto: 6})
	fmt.Println(c.Evaluate(k, 0).Verdict)
	s.SetTuple(k, rules.Tuple{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("10.0.0.1"), DstPort: 22, Proto: 6})
	fmt.Println(c.Evaluate(k, 0).Verdict)
	// Output:
	// ACCEPT
	// DROP
}

func ExampleTables() {
	syn := (&packet.Packet{Family: 4, Proto: packet.TCP, TCPFlags: 2, TTL: 64, DstPort: 80}).AppendIP(nil)
	set, err := iptables.Read(strings.NewReader(`*mangle
-A PREROUTING -i lan+ -j MARK --set-mark 7
COMMIT
*filter
:FORWARD DROP [0:0]
:web - [0:0]
-A FORWARD -m mark --mark 7 -p tcp -j web
-A web -p tcp --syn -m limit --limit 1/hour --limit-burst 1 -j ACCEPT
-A web -m physdev --physdev-in port1 -j ACCEPT
COMMIT
`), iptables.Options{})
	if err != nil {
		log.Fatal(err)
	}
	tables, err := hipac.BuildTables(context.Background(), set.Tables, nil)
	if err != nil {
		log.Fatal(err)
	}
	path, err := set.Path(iptables.Hooks("forward")...)
	if err != nil {
		log.Fatal(err)
	}
	t := xt.NewTraversal(set.Tables[0].Schema)
	t.State = &xt.State{Now: func() time.Time { return time.Unix(1e9, 0) }}
	var p packet.Packet
	p.SetIn("lan0") // of all packets
	for range 2 {
		if err := p.DecodeIP(syn); err != nil {
			log.Fatal(err)
		}
		t.Start(&p)
		r := tables.Run(t, path, nil)
		fmt.Println(r.Verdict, r.Needs, t.Effects[0].String())
	}
	// Output:
	// ACCEPT  MARK: mark 0x0 -> 0x7
	// UNKNOWN physdev MARK: mark 0x0 -> 0x7
}

func ExampleLiveTables() {
	set, err := iptables.Read(strings.NewReader(`*filter
:INPUT DROP [0:0]
:remote - [0:0]
-A INPUT -p tcp --dport 22 -j remote
-A remote -s 10.0.0.0/8 -j ACCEPT
COMMIT
`), iptables.Options{Family: 4})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	live, err := hipac.NewLiveTables(ctx, set.Tables, nil)
	if err != nil {
		log.Fatal(err)
	}
	path, err := set.Path("INPUT")
	if err != nil {
		log.Fatal(err)
	}
	made := &packet.Packet{Family: 4, Proto: packet.TCP, TTL: 64, DstPort: 22}
	made.SetAddrs(netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.1"))
	t := xt.NewTraversal(set.Tables[0].Schema)
	var p packet.Packet
	if err := p.DecodeIP(made.AppendIP(nil)); err != nil {
		log.Fatal(err)
	}
	verdict := func(s *hipac.TablesSnapshot) rules.Verdict {
		t.Start(&p)
		return s.Run(t, path, nil).Verdict
	}
	before := live.Snapshot()
	fmt.Println(verdict(before))

	// A chain of blocked addresses in front of the others, seen all at once.
	err = live.Edit(ctx, func(tx *hipac.TablesTx) error {
		filter, err := tx.Table("filter", 4)
		if err != nil {
			return err
		}
		blocked, err := filter.NewChain("blocked")
		if err != nil {
			return err
		}
		drop := rules.Action{Kind: rules.Decide, Verdict: rules.Drop}
		if _, err := blocked.Append(rules.Rule[rules.Action]{Conds: set.Tables[0].Schema.MustConds("src=10.0.0.9"), Value: drop}); err != nil {
			return err
		}
		input, err := filter.Chain("INPUT")
		if err != nil {
			return err
		}
		_, err = input.InsertAt(0, rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: blocked.Number()}})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict(live.Snapshot()), verdict(before))

	// Back to the file, by the smallest edits.
	a, err := live.Apply(ctx, set.Tables)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Kept, a.Deleted, verdict(live.Snapshot()))
	// Output:
	// ACCEPT
	// DROP ACCEPT
	// 2 2 ACCEPT
}

// A classifier is compiled once, and used by as many processes as like.
func ExampleOpen() {
	s := rules.IPv4Tuple
	list, err := rules.NewList(s,
		rules.Rule[string]{Conds: s.MustConds("src=10.0.0.0/8 dport=22 proto=tcp"), Value: "staff", Comment: "from inside"},
		rules.Rule[string]{Value: "deny"})
	if err != nil {
		log.Fatal(err)
	}
	c, err := hipac.Build(context.Background(), list, nil)
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.CreateTemp("", "rules.*.hipac")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	if err := errors.Join(c.Save(f, saved.String[string]{}), f.Close()); err != nil {
		log.Fatal(err)
	}

	// Later, elsewhere: the file is mapped and checked.
	c, err = hipac.Open(f.Name(), saved.String[string]{}, nil)
	if err != nil {
		log.Fatal(err) // errors.Is(err, saved.ErrDamaged), saved.ErrVersion, ...
	}
	defer c.Close()
	m, _ := c.LookupTuple(rules.Tuple{Src: netip.MustParseAddr("10.1.2.3"), DstPort: 22, Proto: 6})
	fmt.Println(m.Value)
	if l, ok := c.List(); ok { // made of the file when it is asked for
		fmt.Println(l.At(m.Position).Comment)
	}
	// Output:
	// staff
	// from inside
}
