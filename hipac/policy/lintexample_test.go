package policy_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules/native"
)

// What is wrong with a list of rules, as it is found.
func ExampleLint() {
	l, err := native.Read(strings.NewReader(`hipac 1
schema ip
rule src=10.0.0.0/9   proto=tcp dport=22 => ACCEPT
rule src=10.128.0.0/9 proto=tcp dport=22 => ACCEPT
rule src=10.0.0.0/8   proto=tcp dport=22 => DROP
rule proto=tcp dport=22 => DROP
rule proto=tcp => DROP
`), native.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f := policy.OfList(l, func(i int) string { return l.At(i).Value }, "DROP")
	for finding, err := range policy.Lint(context.Background(), policy.LintOptions{KeepAll: true}, f) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s, rule %d: %s\n", finding.Severity, finding.Code, finding.Rules[0].Rule+1, finding.Text)
	}
	// Output:
	// error hidden, rule 3: no packet gets to it: rules 1 and 2 take every packet that it matches, and rule 1 says ACCEPT, not DROP
	// warning redundant, rule 4: without it packets are decided alike, by rule 5
	// warning redundant, rule 5: without it packets are decided alike, by what is said where no rule decides: DROP
	// note mergeable, rule 1: rules 1 and 2 do the same and could be one
}
