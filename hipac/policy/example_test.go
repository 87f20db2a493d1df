package policy_test

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

func list(texts ...string) *policy.Function {
	b := rules.NewBuilder[string](rules.IPv4Tuple)
	for i := 0; i < len(texts); i += 2 {
		if _, err := b.Add(rules.Rule[string]{Conds: rules.IPv4Tuple.MustConds(texts[i]), Value: texts[i+1]}); err != nil {
			panic(err)
		}
	}
	l := b.List()
	return policy.OfList(l, func(i int) string { return l.At(i).Value }, "NONE")
}

// Two rules change places: the packets of both are decided otherwise.
func ExampleCompare() {
	old := list("src=10.0.0.0/8 dport=22 proto=tcp", "ACCEPT", "src=10.1.0.0/16", "DROP", "any", "ACCEPT")
	new := list("src=10.1.0.0/16", "DROP", "src=10.0.0.0/8 dport=22 proto=tcp", "ACCEPT", "any", "ACCEPT")
	d, err := policy.Compare(context.Background(), old, new, policy.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range d.Regions {
		conds := rules.Rule[int]{Conds: r.Conds}
		fmt.Println(rules.FormatRule(d.Schema, &conds))
		fmt.Printf("%s by rule %d -> %s by rule %d\n", r.Old.Verdict, r.Old.At.Rule+1, r.New.Verdict, r.New.At.Rule+1)
	}
	// Output:
	// src=10.1.0.0/16 dport=22 proto=tcp
	// ACCEPT by rule 1 -> DROP by rule 1
}

// Is anything from 10.0.0.0/8 to port 22 accepted?
func ExampleQuery() {
	f := list("src=10.1.0.0/16", "DROP", "src=10.0.0.0/15 dport=22 proto=tcp", "ACCEPT", "any", "DROP")
	a, err := policy.Query(context.Background(), f, f.Schema().MustConds("src=10.0.0.0/8 dport=22"), "ACCEPT", policy.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Extent)
	for _, r := range a.Regions {
		conds := rules.Rule[int]{Conds: r.Conds}
		fmt.Printf("%s by rule %d\n", rules.FormatRule(a.Schema, &conds), r.Old.At.Rule+1)
	}
	// Output:
	// some
	// src=10.0.0.0/16 dport=22 proto=tcp by rule 2
}

// Regions one by one, as they are found.
func ExampleEach() {
	old, new := list("dport=22,80", "ACCEPT"), list("dport=22,443", "ACCEPT")
	err := policy.Each(context.Background(), old, new, policy.Options{}, func(s *rules.Schema, r policy.Region) bool {
		conds := rules.Rule[int]{Conds: r.Conds}
		fmt.Println(rules.FormatRule(s, &conds), r.Old.Verdict, "->", r.New.Verdict)
		return true
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// dport=80 ACCEPT -> NONE
	// dport=443 NONE -> ACCEPT
}
