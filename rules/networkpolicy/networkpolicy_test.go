package networkpolicy_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
	"github.com/hipac-go/classifier/rules/networkpolicy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func read(t *testing.T, text string) *networkpolicy.Cluster {
	t.Helper()
	c, err := networkpolicy.Read(strings.NewReader(text), networkpolicy.Options{File: "cluster.yaml"})
	require.NoError(t, err)
	return c
}

func list(t *testing.T, c *networkpolicy.Cluster, name string) *networkpolicy.List {
	t.Helper()
	l, err := c.List(name)
	require.NoError(t, err)
	require.Len(t, l.Lines, l.Rules.Len())
	return l
}

// text is a list in the native format, with the lines of its rules.
func text(t *testing.T, l *networkpolicy.List) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, native.Write(&b, l.Rules))
	return fmt.Sprintf("# %s\n%s# lines %v\n", l.Name, &b, l.Lines)
}

// ask returns the verdict on a packet and the comment of the rule that decides:
// "SRC DST PROTOCOL/PORT", or "SRC DST PROTOCOL" without ports.
func ask(t *testing.T, l *rules.List[string], packet string) (verdict, comment string) {
	t.Helper()
	var src, dst, what string
	_, err := fmt.Sscan(packet, &src, &dst, &what)
	require.NoError(t, err)
	proto, port, ports := strings.Cut(what, "/")
	number, ok := rules.ProtocolNumber(proto)
	require.True(t, ok, packet)
	tuple := rules.Tuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: number, NoPorts: !ports, SrcPort: 40000}
	if ports {
		_, err := fmt.Sscan(port, &tuple.DstPort)
		require.NoError(t, err)
	}
	k := l.Schema().NewKey()
	require.True(t, l.Schema().SetTuple(k, tuple))
	i, ok := l.First(k)
	require.True(t, ok, packet)
	return l.At(i).Value, l.At(i).Comment
}

func TestFilesGiveTheListsOfTheirGoldenFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/*.[jy][sa][om][nl]")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, networkpolicy.Is(data[:min(len(data), 1000)]), name)
		c, err := networkpolicy.Read(bytes.NewReader(data), networkpolicy.Options{File: filepath.Base(name)})
		require.NoError(t, err)
		out := text(t, list(t, c, "ingress")) + text(t, list(t, c, "egress"))
		if pods := c.Pods(); len(pods) > 0 {
			out += text(t, list(t, c, pods[0]+"/ingress")) + text(t, list(t, c, pods[0]+"/egress"))
		}
		for _, l := range c.LeftOut() {
			out += fmt.Sprintf("# line %d, %s: %s\n", l.Line, l.Object, l.Reason)
		}
		golden := name + ".golden"
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(out), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), out)
	}
}

func TestPacketsAreJudgedAsTheDocumentationSays(t *testing.T) {
	data, err := os.ReadFile("testdata/shop.yaml")
	require.NoError(t, err)
	c := read(t, string(data))
	for _, test := range []struct{ list, packet, verdict, comment string }{
		{"ingress", "198.51.100.9 10.1.1.5 tcp/8080", "ACCEPT", "shop/web ingress[0], port http"},
		{"ingress", "198.51.100.9 10.1.2.5 tcp/8080", "DROP", "isolated for ingress by shop/deny-all, shop/web"}, // http is 80 there
		{"ingress", "198.51.100.9 10.1.2.5 tcp/80", "ACCEPT", "shop/web ingress[0], port http"},
		{"ingress", "198.51.100.9 10.1.2.5 udp/443", "ACCEPT", "shop/web ingress[0]"},
		{"ingress", "198.51.100.9 10.1.2.5 sctp/443", "DROP", ""},
		{"ingress", "198.51.100.9 10.1.2.5 tcp", "DROP", ""}, // a later fragment
		{"ingress", "10.9.9.9 10.1.2.5 tcp/80", "DROP", ""},  // except
		{"ingress", "2001:db8::1 2001:db8:1::5 tcp/8080", "ACCEPT", ""},
		{"ingress", "10.1.1.20 10.1.1.5 tcp/9150", "ACCEPT", "shop/web ingress[1]"},
		{"ingress", "10.1.1.20 10.1.1.5 tcp/9200", "DROP", ""},
		{"ingress", "10.1.1.20 10.1.2.6 tcp/5432", "ACCEPT", "shop/db ingress[0], port sql"}, // a whole Namespace
		{"ingress", "10.1.1.5 10.1.2.6 tcp/5432", "ACCEPT", ""},
		{"ingress", "10.1.1.5 10.1.2.6 sctp/1", "ACCEPT", ""}, // a protocol without port
		{"ingress", "10.1.1.5 10.1.2.6 sctp", "ACCEPT", ""},
		{"ingress", "10.1.1.5 10.1.2.6 udp/5432", "DROP", ""},
		{"ingress", "10.1.1.5 10.1.2.6 icmp", "DROP", "isolated for ingress by shop/deny-all, shop/db"},
		{"ingress", "10.1.2.6 10.1.2.6 udp/1", "ACCEPT", "a Pod to itself, always allowed: shop/db-0"},
		{"ingress", "192.0.2.12 10.1.2.6 udp/1", "ACCEPT", "a Node to its own Pods, always allowed: worker-2"},
		{"ingress", "192.0.2.11 10.1.2.6 udp/1", "DROP", ""},                             // another Node
		{"ingress", "10.1.1.5 10.1.1.9 tcp/1", "ACCEPT", "not isolated for ingress"},     // the Pod has ended
		{"ingress", "10.1.1.5 10.1.1.20 tcp/9090", "ACCEPT", "not isolated for ingress"}, // no policy there
		{"egress", "10.1.1.5 10.1.2.6 tcp/5432", "ACCEPT", "shop/web egress[0], port sql"},
		{"egress", "10.1.1.5 10.1.1.20 tcp/5432", "DROP", "isolated for egress by shop/deny-all, shop/web"},
		{"egress", "10.1.1.5 198.51.100.53 udp/53", "ACCEPT", "shop/web egress[1]"},
		{"egress", "10.1.1.5 192.0.2.11 tcp/10250", "DROP", ""}, // to its own Node
		{"egress", "10.1.2.6 198.51.100.53 udp/53", "DROP", "isolated for egress by shop/deny-all"},
		{"egress", "10.1.1.20 198.51.100.9 tcp/443", "ACCEPT", "not isolated for egress"},
		{"shop/web-2/ingress", "198.51.100.9 10.1.2.5 tcp/80", "ACCEPT", "shop/web ingress[0], port http"},
		{"shop/web-2/ingress", "198.51.100.9 10.1.2.5 tcp/22", "DROP", "isolated for ingress by shop/deny-all, shop/web"},
		{"shop/web-2/ingress", "198.51.100.9 10.1.1.5 tcp/22", "ACCEPT", "not isolated for ingress"},
		{"shop/web-2/egress", "10.1.2.5 10.1.2.6 tcp/5432", "ACCEPT", ""},
	} {
		verdict, comment := ask(t, list(t, c, test.list).Rules, test.packet)
		require.Equal(t, test.verdict, verdict, "%s %s: %s", test.list, test.packet, comment)
		if test.comment != "" {
			require.Equal(t, test.comment, comment, "%s %s", test.list, test.packet)
		}
	}
}

// pods are two Pods, with the named ports of containers.
const pods = `---
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec: {containers: [{ports: [{name: web, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}]}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: other, labels: {app: b}}
spec:
  initContainers:
  - {restartPolicy: Always, ports: [{name: mesh, containerPort: 15001}]}
  - {ports: [{name: setup, containerPort: 1}]}
status: {podIP: 10.0.0.2}
`

func policy(spec string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: " + spec + "\n" + pods
}

func TestSpecsMeanWhatTheDocumentationSays(t *testing.T) {
	for spec, packets := range map[string][]string{
		"{}":                                             {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP", "egress 10.0.0.1 10.0.0.2 tcp/1 ACCEPT", "ingress 10.0.0.1 10.0.0.2 tcp/1 ACCEPT"},
		"":                                               {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{podSelector: {}, policyTypes: []}":             {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP", "egress 10.0.0.1 10.0.0.2 tcp/1 ACCEPT"},
		"{podSelector: {matchLabels: {app: b}}}":         {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{egress: []}":                                   {"egress 10.0.0.1 10.0.0.2 tcp/1 ACCEPT", "ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{egress: [{ports: [{port: 80}]}]}":              {"egress 10.0.0.1 9.9.9.9 tcp/80 ACCEPT", "egress 10.0.0.1 9.9.9.9 tcp/81 DROP", "ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{policyTypes: [Egress]}":                        {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT", "egress 10.0.0.1 10.0.0.2 tcp/1 DROP"},
		"{policyTypes: [Egress], ingress: [{}]}":         {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT", "egress 10.0.0.1 10.0.0.2 tcp/1 DROP"},
		"{policyTypes: [Ingress, Egress]}":               {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP", "egress 10.0.0.1 10.0.0.2 tcp/1 DROP"},
		"{ingress: [{}]}":                                {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT", "ingress 10.0.0.2 10.0.0.1 icmp ACCEPT"},
		"{ingress: [{from: [], ports: []}]}":             {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: [{from: null}]}":                      {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: null}":                                {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{podSelector: {}}]}]}":       {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{namespaceSelector: {}}]}]}": {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT", "ingress 10.0.0.3 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}]}]}":                                                    {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{namespaceSelector: {}}, {podSelector: {matchLabels: {app: x}}}]}]}":                                                  {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}]}]}":                                         {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [other]}]}}]}]}":  {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}}]}]}":            {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}]}]}":                   {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: b}, matchExpressions: [{key: app, operator: Exists}]}}]}]}":  {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: b}, matchExpressions: [{key: tier, operator: Exists}]}}]}]}": {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}":                                                                                   {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT", "ingress 10.0.1.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.9/24, except: [10.0.0.2/31, 10.0.0.9/32]}}]}]}":                                               {"ingress 10.0.0.4 10.0.0.1 tcp/1 ACCEPT", "ingress 10.0.0.3 10.0.0.1 tcp/1 DROP", "ingress 10.0.0.9 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]}":                                                                                        {"ingress 10.0.0.2 10.0.0.1 tcp/1 DROP", "ingress ::2 10.0.0.1 tcp/1 ACCEPT"},
		"{ingress: [{from: [{ipBlock: {cidr: '::/0', except: ['2001:db8::/32']}}]}]}":                                                             {"ingress 2001:db8::2 10.0.0.1 tcp/1 DROP", "ingress ::2 10.0.0.1 tcp/1 ACCEPT", "ingress 10.0.0.2 10.0.0.1 tcp/1 DROP"},
		"{ingress: [{ports: [{}]}]}":                                                {"ingress 10.0.0.2 10.0.0.1 tcp/1 ACCEPT", "ingress 10.0.0.2 10.0.0.1 udp/1 DROP"},
		"{ingress: [{ports: [{protocol: UDP}, {port: 7}]}]}":                        {"ingress 10.0.0.2 10.0.0.1 tcp/7 ACCEPT", "ingress 10.0.0.2 10.0.0.1 tcp/8 DROP", "ingress 10.0.0.2 10.0.0.1 udp/8 ACCEPT"},
		"{ingress: [{ports: [{port: 7, endPort: 9}]}]}":                             {"ingress 10.0.0.2 10.0.0.1 tcp/9 ACCEPT", "ingress 10.0.0.2 10.0.0.1 tcp/6 DROP"},
		"{ingress: [{ports: [{port: web}]}]}":                                       {"ingress 10.0.0.2 10.0.0.1 tcp/80 ACCEPT", "ingress 10.0.0.2 10.0.0.1 udp/80 DROP"},
		"{ingress: [{ports: [{port: dns}]}]}":                                       {"ingress 10.0.0.2 10.0.0.1 udp/53 DROP", "ingress 10.0.0.2 10.0.0.1 tcp/53 DROP"},
		"{ingress: [{ports: [{port: dns, protocol: UDP}]}]}":                        {"ingress 10.0.0.2 10.0.0.1 udp/53 ACCEPT"},
		"{policyTypes: [Egress], egress: [{ports: [{port: mesh}, {port: setup}]}]}": {"egress 10.0.0.1 10.0.0.2 tcp/15001 ACCEPT", "egress 10.0.0.1 10.0.0.3 tcp/15001 DROP", "egress 10.0.0.1 10.0.0.2 tcp/1 DROP"},
		"{egress: [{to: [{podSelector: {}}], ports: [{port: mesh}]}]}":              {"egress 10.0.0.1 10.0.0.2 tcp/15001 DROP"},
		"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 1}]}]}":     {"egress 10.0.0.1 10.0.0.2 tcp/1 ACCEPT", "egress 10.0.0.1 10.0.0.2 udp/1 DROP"},
	} {
		c := read(t, policy(spec))
		for _, p := range packets {
			words := strings.Fields(p)
			verdict, comment := ask(t, list(t, c, words[0]).Rules, strings.Join(words[1:4], " "))
			require.Equal(t, words[4], verdict, "%s: %s: %s", spec, p, comment)
		}
	}
}

func TestPoliciesAreAddedUp(t *testing.T) {
	c := read(t, strings.ReplaceAll(policy("{ingress: [{ports: [{port: 1}]}]}"), pods, "")+"---\n"+
		strings.Replace(policy("{podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 2}]}]}"), "name: p", "name: q", 1))
	l := list(t, c, "ingress").Rules
	for packet, want := range map[string]string{
		"10.0.0.2 10.0.0.1 tcp/1": "default/p ingress[0]", "10.0.0.2 10.0.0.1 tcp/2": "default/q ingress[0]",
		"10.0.0.2 10.0.0.1 tcp/3": "isolated for ingress by default/p, default/q",
	} {
		_, comment := ask(t, l, packet)
		require.Equal(t, want, comment)
	}
}

func TestListsOfPodsAreKnownByName(t *testing.T) {
	c := read(t, policy("{}")+"---\napiVersion: v1\nkind: Pod\nmetadata: {name: gone}\nstatus: {phase: Failed}\n")
	require.Equal(t, []string{"default/a", "other/b"}, c.Pods())
	for name, want := range map[string]string{
		"default/gone/ingress": `no list "default/gone/ingress": the Pod in line 21 is left out, phase Failed: it has ended`,
		"default/x/egress":     `no list "default/x/egress": no such Pod`,
		"forward":              `no list "forward": there are ingress, egress, and those of single Pods, NAMESPACE/POD/ingress and NAMESPACE/POD/egress`,
	} {
		_, err := c.List(name)
		require.EqualError(t, err, want)
	}
}

func TestErrorsSayWhereAndWhy(t *testing.T) {
	data, err := os.ReadFile("testdata/errors.txt")
	require.NoError(t, err)
	var out strings.Builder
	for i, section := range strings.Split(string(data), "==== ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		in, _, _ := strings.Cut(rest, "-- error\n")
		_, err := networkpolicy.Read(strings.NewReader(in), networkpolicy.Options{File: "f", Limits: rules.Limits{MaxDepth: 50}})
		require.Error(t, err, "section %d, %s", i, name)
		var placed *rules.ParseError
		require.ErrorAs(t, err, &placed, name)
		mark := ""
		if errors.Is(err, rules.ErrUnsupported) {
			mark = " (not supported)"
		}
		fmt.Fprintf(&out, "==== %s\n%s-- error\n%v%s\n", name, in, err, mark)
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/errors.txt", []byte(out.String()), 0o644))
		return
	}
	require.Equal(t, string(data), out.String())
}

func TestTextThatIsNoneIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		"kind: a\x00b\n":                 "f:1:8: NUL byte: this is not a text file",
		"a: b\nkind: \xff\n":             "f:2:7: byte 0xff is not UTF-8",
		"\xef\xbb\xbfkind: 1\nkind: 2\n": `f:2:1: a key that stands twice in one mapping, first in line 1: "kind"`,
		"":                               "f: no Kubernetes object in the file",
		"{":                              "f:1:2: not JSON: the text ends within a value",
		"a: \x01":                        "f:1: not YAML: control characters are not allowed",
	} {
		_, err := networkpolicy.Read(strings.NewReader(in), networkpolicy.Options{File: "f"})
		require.EqualError(t, err, want, "%q", in)
	}
}

func TestLimitsAreKept(t *testing.T) {
	data, err := os.ReadFile("testdata/shop.yaml")
	require.NoError(t, err)
	for want, limits := range map[string]rules.Limits{
		"f: input is longer than 1000 bytes":                                                {MaxInput: 1000},
		"values take more than 10000 bytes of memory":                                       {MaxMemory: 10000},
		"f:91:1: list ingress: rule 7: limit exceeded: at most 6 rules":                     {MaxRules: 6},
		"f:38:5: NetworkPolicy shop/web: 3 ranges of addresses or ports in one condition, ": {MaxElements: 2},
		"values are nested more than 3 deep":                                                {MaxDepth: 3},
	} {
		_, err := networkpolicy.Read(bytes.NewReader(data), networkpolicy.Options{File: "f", Limits: limits})
		require.ErrorIs(t, err, rules.ErrLimit)
		require.ErrorContains(t, err, want)
	}
}

func TestWhatPoliciesSelectIsLimited(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p%d}, spec: {}}\n", i)
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: Pod, metadata: {name: p%d}, status: {podIP: 10.0.%d.%d}}\n", i, i/250, i%250)
	}
	_, err := networkpolicy.Read(strings.NewReader(b.String()), networkpolicy.Options{File: "f", Limits: rules.Limits{MaxMemory: 30 << 20}})
	require.ErrorIs(t, err, rules.ErrLimit)
	require.ErrorContains(t, err, "the Pods that policies select take more than 31457280 bytes of memory")
	c := read(t, b.String())
	require.Equal(t, 2000+2, list(t, c, "ingress").Rules.Len())
}

func TestBuiltInKindsThatSayNothingOfPacketsArePassedOver(t *testing.T) {
	c := read(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSliceList
items: [{metadata: {name: e}}]
---
apiVersion: v1
kind: ConfigMap
---
apiVersion: v1
kind: ServiceList
`)
	require.Equal(t, []networkpolicy.Left{
		{2, "Deployment shop/web", "kinds that say nothing of packets are passed over"},
		{8, "EndpointSlice e", "kinds that say nothing of packets are passed over"},
		{10, "ConfigMap without a name", "kinds that say nothing of packets are passed over"},
	}, c.LeftOut())
	require.Equal(t, "# egress\nhipac 1\nschema ip\nrule any => ACCEPT  # not isolated for egress\n# lines [0]\n", text(t, list(t, c, "egress")))
	_, err := networkpolicy.Read(strings.NewReader("apiVersion: v1\nkind: Deployment\n"), networkpolicy.Options{})
	require.ErrorIs(t, err, rules.ErrUnsupported)
}

func TestFilesOfObjectsAreKnownByTheirBeginning(t *testing.T) {
	for in, want := range map[string]bool{
		"apiVersion: v1\n": true, "# a\n\n---\nkind: Pod\n": true, "\xef\xbb\xbfitems:\n- a\n": true, "--- # x\nmetadata:\n": true,
		"---\n{apiVersion: v1, kind: Pod}": true, "---\n{ \"kind\": Pod}": true, "---\n{x: v1}": false,
		"%YAML 1.2\n---\nspec: {}": true, ` {"apiVersion": "v1"`: true, "{\n\"kind\": \"List\"": true,
		"": false, "apiVersion\n": false, "  kind: x\n": false, "*filter\n": false, "hipac 1\n": false, "@1.2.3.4/32": false,
		`{"hipac": 1, "apiVersion": 1}`: false, "{}": false, "{": false, "[1]": false, "{apiVersion: v1}": false,
	} {
		require.Equal(t, want, networkpolicy.Is([]byte(in)), "%q", in)
	}
}
