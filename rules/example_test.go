package rules_test

import (
	"fmt"
	"net/netip"

	"github.com/hipac-go/classifier/rules"
)

// A list of two rules is built and asked about two packets by the linear
// matcher.
func Example() {
	s := rules.IPv4Tuple
	src, dport := s.MustIndex("src"), s.MustIndex("dport")
	inside := rules.PrefixInterval(rules.Addr4(netip.MustParseAddr("10.0.0.0")), 8, 32)

	list, err := rules.NewList(s,
		rules.Rule[string]{Conds: []rules.Cond{rules.In(src, inside), rules.In(dport, rules.Point(80), rules.Point(443))}, Value: "accept"},
		rules.Rule[string]{Value: "drop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, from := range []string{"10.1.2.3", "192.0.2.1"} {
		key := s.NewKey()
		s.SetTuple(key, rules.Tuple{
			Src: netip.MustParseAddr(from), Dst: netip.MustParseAddr("198.51.100.7"),
			SrcPort: 40000, DstPort: 443, Proto: 6,
		})
		if i, ok := list.First(key); ok {
			fmt.Println(from, list.At(i).Value)
		}
	}
	// Output:
	// 10.1.2.3 accept
	// 192.0.2.1 drop
}

// Conditions have a text form.
func ExampleSchema_ParseCond() {
	c, err := rules.Firewall.ParseCond("tcpflags=SYN/SYN+ACK+RST+FIN")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rules.Firewall.FormatCond(&c))
	fmt.Println(c.Holds(rules.U64(0x02), true), c.Holds(rules.U64(0x12), true), c.Holds(rules.Value{}, false))

	_, err = rules.Firewall.ParseCond("dport=80000")
	fmt.Println(err)
	// Output:
	// tcpflags=SYN/FIN+SYN+RST+ACK
	// true false false
	// 80000 does not fit the 16 bits of dport
}

// A packet without ports satisfies no condition on them, negated or not.
func ExampleCond() {
	web := rules.In(rules.IPv4Tuple.MustIndex("dport"), rules.Point(80))
	other := web.Negate()
	fmt.Println(web.Holds(rules.Value{}, false), other.Holds(rules.Value{}, false))

	otherOrNone := other.OrAbsent()
	fmt.Println(otherOrNone.Holds(rules.Value{}, false), rules.IPv4Tuple.FormatCond(&otherOrNone))
	// Output:
	// false false
	// true dport?!=80
}

// A schema of one's own: any fields of up to 128 bits.
func ExampleNewSchema() {
	s, err := rules.NewSchema(
		rules.Field{Name: "tenant", Bits: 24},
		rules.Field{Name: "method", Kind: rules.Enum, Bits: 2, Symbols: []rules.Symbol{{Name: "GET", Value: 0}, {Name: "PUT", Value: 1}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	method, _ := s.ParseCond("method=PUT")
	list, _ := rules.NewList(s, rules.Rule[bool]{Conds: []rules.Cond{method}, Value: true})
	key := s.NewKey()
	s.Set(key, s.MustIndex("tenant"), rules.U64(4711))
	s.Set(key, s.MustIndex("method"), rules.U64(1))
	_, ok := list.First(key)
	fmt.Println(s, ok)
	// Output: tenant:number:24 method:enum:2:GET=0,PUT=1 true
}

// Chains call one another; the walk says which rule decided.
func ExampleTable_Evaluate() {
	s := rules.IPv4Tuple
	ssh, _ := s.ParseCond("dport=22")
	input, _ := rules.NewList(s, rules.Rule[rules.Action]{Conds: []rules.Cond{ssh}, Value: rules.Action{Kind: rules.Jump, Chain: 1, Number: 1}})
	admins, _ := rules.NewList(s, rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept, Number: 1}})
	table := rules.Table{Name: "filter", Schema: s, Chains: []rules.Chain{
		{Name: "INPUT", Policy: rules.Drop, Rules: input}, {Name: "ADMINS", Rules: admins},
	}}
	if err := table.Check(rules.DefaultLimits); err != nil {
		fmt.Println(err)
		return
	}
	for _, port := range []uint16{22, 23} {
		key := rules.Tuple4{DstPort: port, Proto: 6}.Key()
		result := table.Evaluate(key[:], 0, nil)
		fmt.Println(port, result.Verdict, table.Chains[result.By.Chain].Name, result.By.Rule)
	}
	// Output:
	// 22 ACCEPT ADMINS 0
	// 23 DROP INPUT -1
}

// A new file is compared with the rules in use.
func ExampleDiff() {
	s := rules.IPv4Tuple
	list := func(conds ...string) *rules.List[string] {
		b := rules.NewBuilder[string](s)
		for _, text := range conds {
			c, err := s.ParseCond(text)
			if err == nil {
				_, err = b.Add(rules.Rule[string]{Conds: []rules.Cond{c}, Value: "accept"})
			}
			if err != nil {
				fmt.Println(err)
			}
		}
		return b.List()
	}
	script := rules.Diff(list("dport=22", "dport=80", "dport=443"), list("dport=53", "dport=22", "dport=443"))
	fmt.Println(script.Edits, script.IDs, script.Kept)
	// Output: [delete 2 insert 0] [0 1 3] 2
}
