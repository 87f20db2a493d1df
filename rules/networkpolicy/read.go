package networkpolicy

// Reading a file: what it holds, and the lists that come of it.

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hipac-go/classifier/rules"
)

// Options say how to read. The zero Options are ready to use.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the input; zero fields mean rules.DefaultLimits. MaxLine,
	// MaxChains and MaxWalk don't count.
	Limits rules.Limits
}

// Cluster is what a file says of a cluster: its policies, and the Pods that they
// select. It is immutable; any number of goroutines may use it.
type Cluster struct {
	limits     rules.Limits
	policies   []*policy
	pods       []*pod
	namespaces map[string]*namespace
	nodes      map[string]*node // by name
	nodeNames  []string         // in the order of the file
	left       []Left

	byNamespace map[string][]*pod
	order       []string // Namespaces with Pods
	lists       [2]*List
}

// List is a list with its name.
type List struct {
	Name  string
	Rules *rules.List[string]
	// Lines are the lines of the file that the rules come from, 0 where there is none.
	Lines []int
}

// node is what is known of a Node.
type node struct {
	line      int // of the Node, or of a Pod that has its addresses
	addresses []rules.Value
	has       map[rules.Value]bool
}

// Left is an object of a file that no rule comes of.
type Left struct {
	Line   int
	Object string // its kind and name: "Pod default/web-1"
	Reason string
}

func (c *Cluster) addNode(name string, line int, address rules.Value) {
	n := c.nodes[name]
	if n == nil {
		n = &node{line: line, has: map[rules.Value]bool{}}
		c.nodes[name] = n
		c.nodeNames = append(c.nodeNames, name)
	}
	if !n.has[address] {
		n.has[address] = true
		n.addresses = append(n.addresses, address)
	}
}

// Read reads objects in YAML or JSON, one or more documents, and makes the lists
// "ingress" and "egress" of them. Errors are of type *rules.ParseError, or several
// of them joined, in the order of the lines; they wrap rules.ErrUnsupported for what
// may be right and is not modelled.
//
// It takes time and memory linear in the file, 10 to 30 times its size (the file
// and its tree are in memory at once, within Limits.MaxInput and MaxMemory), and in
// what the policies select: the Pods of every peer. A dump of 37 MB with 10,000
// Pods takes 4 s and 1 GB.
func Read(r io.Reader, opts Options) (*Cluster, error) {
	limits := opts.Limits.OrDefault()
	text, err := readAll(r, opts.File, limits)
	if err != nil {
		return nil, err
	}
	c := &Cluster{limits: limits, namespaces: map[string]*namespace{}, nodes: map[string]*node{}, byNamespace: map[string][]*pod{}}
	o := objectReader{walker: walker{source: text, limits: limits}, c: c, seen: map[string]place{}, held: map[rules.Value]*pod{}}
	err = text.documents(limits.MaxDepth, func(root *yaml.Node) { o.document(root) })
	if o.failed > 0 {
		return nil, errors.Join(o.err(), err)
	}
	if err != nil {
		return nil, err
	}
	if len(o.seen) == 0 && len(c.left) == 0 {
		return nil, &rules.ParseError{File: opts.File, Reason: "no Kubernetes object in the file"}
	}
	if len(c.policies) > 0 && o.pods == 0 {
		return nil, &rules.ParseError{File: opts.File, Line: c.policies[0].at.line, Column: c.policies[0].at.column, Err: rules.ErrUnsupported,
			Reason: "NetworkPolicies, but no Pods that they could select: kubectl get networkpolicies,pods,namespaces,nodes -A -o yaml prints all that is needed"}
	}
	for _, p := range c.pods {
		if c.namespaces[p.namespace] == nil {
			c.namespaces[p.namespace] = &namespace{labels: map[string]string{metadataName: p.namespace}}
		}
		if c.byNamespace[p.namespace] == nil {
			c.order = append(c.order, p.namespace)
		}
		c.byNamespace[p.namespace] = append(c.byNamespace[p.namespace], p)
	}
	for d := range c.lists {
		m := newMaker(c, direction(d), nil)
		m.report = &o.walker
		c.lists[d] = m.list(direction(d).String())
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// List returns the list of a name: "ingress" and "egress" for all Pods,
// "NAMESPACE/POD/ingress" and "NAMESPACE/POD/egress" for one. That of a Pod has
// the rules of the other list that are about it, and ACCEPT for other Pods' packets;
// it is made when it is asked for.
func (c *Cluster) List(name string) (*List, error) {
	switch name {
	case "ingress":
		return c.lists[ingress], nil
	case "egress":
		return c.lists[egress], nil
	}
	pod, way := name, ""
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		pod, way = name[:i], name[i+1:]
	}
	if way != "ingress" && way != "egress" {
		return nil, fmt.Errorf("no list %q: there are ingress, egress, and those of single Pods, NAMESPACE/POD/ingress and NAMESPACE/POD/egress", rules.Excerpt(name))
	}
	for _, p := range c.pods {
		if p.String() == pod {
			m := newMaker(c, map[string]direction{"ingress": ingress, "egress": egress}[way], p)
			m.report = &walker{source: &source{}, limits: c.limits}
			l := m.list(name)
			return l, m.report.err()
		}
	}
	for _, l := range c.left {
		if l.Object == "Pod "+pod {
			return nil, fmt.Errorf("no list %q: the Pod in line %d is left out, %s", rules.Excerpt(name), l.Line, l.Reason)
		}
	}
	return nil, fmt.Errorf("no list %q: no such Pod", rules.Excerpt(name))
}

// Pods returns the names, NAMESPACE/POD, of the Pods that have lists of their own.
func (c *Cluster) Pods() []string {
	names := make([]string, len(c.pods))
	for i, p := range c.pods {
		names[i] = p.String()
	}
	return names
}

// LeftOut returns the objects that no rule comes of, in the order of the file, and
// why. The slice belongs to the Cluster.
func (c *Cluster) LeftOut() []Left { return c.left }
