package hipac_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/xt"
)

// A packet is sent through all tables on its way to this machine, and its way
// is told.
func ExampleTables_Trace() {
	set, err := iptables.Read(strings.NewReader(`*mangle
-A PREROUTING -i eth0 -j MARK --set-mark 1
COMMIT
*filter
:INPUT DROP
-A INPUT -m mark --mark 1 -p tcp --dport 22 -j ACCEPT
-A INPUT -m mark --mark 1 -p tcp --dport 443 -j ACCEPT
COMMIT
`), iptables.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	path, err := set.Path(iptables.Hooks("input")...)
	if err != nil {
		fmt.Println(err)
		return
	}
	tables, err := hipac.BuildTables(context.Background(), set.Tables, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := describe.Parse("tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0 ctstate=NEW")
	if err != nil {
		fmt.Println(err)
		return
	}
	traversal := xt.NewTraversal(set.Tables[0].Schema)
	traversal.Packet = p.Packet
	trace := tables.Trace(traversal, path, hipac.TraceOptions{Near: 1})
	for _, stop := range trace.Stops {
		table := stop.Stop.Table
		for _, step := range stop.Steps {
			fmt.Printf("%s %s %v %d\n", table.Name, table.Chains[step.At.Chain].Name, step.Kind, step.At.Rule+1)
		}
	}
	for _, miss := range trace.Near {
		fmt.Printf("nearly rule %d: %s, and it is %s\n", miss.At.Rule+1, miss.Failed.Wanted, miss.Failed.Got)
	}
	fmt.Println(trace.Result.Verdict, traversal.Effects[0].String())
	// Output:
	// mangle PREROUTING rule 1
	// mangle PREROUTING policy 2
	// mangle INPUT policy 1
	// filter INPUT rule 2
	// nearly rule 1: dport=22, and it is 443
	// ACCEPT MARK: mark 0x0 -> 0x1
}
