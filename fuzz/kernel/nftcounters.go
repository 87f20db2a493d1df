//go:build linux

package kernel

// The kernel's counters of a table of nftables, read by netlink: a dump of the
// rules has the counters that are among their expressions, and a dump of the
// chains those of policies. See linux/netfilter/nf_tables.h.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// nftTable reads the counters of one table.
type nftTable struct {
	fd       int
	family   uint8
	name     string
	policies bool // chains have counters too
	chains   []string
	index    map[string]int
	buf      []byte
	seq      uint32
}

// openNFT finds the chains of a table of the family, one of unix.NFPROTO_INET,
// NFPROTO_IPV4 and NFPROTO_IPV6.
func openNFT(family uint8, name string, policies bool) (*nftTable, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("a netlink socket: %w", err)
	}
	n := &nftTable{fd: fd, family: family, name: name, policies: policies, index: map[string]int{}, buf: make([]byte, 1<<16)}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	err = n.ask(unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, nil, func(attrs []byte) {
		if c := readChain(attrs); c.table == n.name {
			n.index[c.chain] = len(n.chains)
			n.chains = append(n.chains, c.chain)
		}
	})
	if err == nil && len(n.chains) == 0 {
		err = fmt.Errorf("nftables has no table %s", name)
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *nftTable) close() { unix.Close(n.fd) }

func (n *nftTable) names() []string { return n.chains }

// counts returns the counters of the chains' rules, and behind those of each
// chain that of its policy.
func (n *nftTable) counts(into [][]count) ([][]count, error) {
	if into == nil {
		into = make([][]count, len(n.chains))
	}
	for i := range into {
		into[i] = into[i][:0]
	}
	err := n.ask(unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, text(unix.NFTA_RULE_TABLE, n.name), func(attrs []byte) {
		if r := readRule(attrs); r.chain != "" {
			if i, ok := n.index[r.chain]; ok {
				into[i] = append(into[i], r.count)
			}
		}
	})
	if err != nil {
		return into, err
	}
	for i := range into {
		into[i] = append(into[i], count{})
	}
	if n.policies {
		err = n.ask(unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, nil, func(attrs []byte) {
			if c := readChain(attrs); c.table == n.name {
				if i, ok := n.index[c.chain]; ok {
					into[i][len(into[i])-1] = c.policy
				}
			}
		})
	}
	return into, err
}

// nftRule reads the counters of one rule.
type nftRule struct {
	table *nftTable
	attrs []byte // that name it
}

// rule finds a rule by its number in a chain, from 0.
func (n *nftTable) rule(chain string, number int) (*nftRule, error) {
	var r *nftRule
	err := n.ask(unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, text(unix.NFTA_RULE_TABLE, n.name), func(attrs []byte) {
		if dumped := readRule(attrs); dumped.chain == chain {
			if number == 0 {
				r = &nftRule{n, slices.Concat(text(unix.NFTA_RULE_TABLE, n.name), text(unix.NFTA_RULE_CHAIN, chain), attribute(unix.NFTA_RULE_HANDLE, slices.Clone(dumped.handle)))}
			}
			number--
		}
	})
	if err == nil && r == nil {
		err = fmt.Errorf("the kernel's chain %s has no such rule", chain)
	}
	return r, err
}

// read returns the rule's counters.
func (r *nftRule) read() (c count, err error) {
	err = r.table.ask(unix.NFT_MSG_GETRULE, 0, r.attrs, func(attrs []byte) { c = readRule(attrs).count })
	return c, err
}

// dumpedRule is what a dump says of a rule.
type dumpedRule struct {
	chain  string
	handle []byte
	count  count
}

func readRule(attrs []byte) (r dumpedRule) {
	eachAttribute(attrs, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_RULE_CHAIN:
			r.chain = string(bytes.TrimRight(value, "\x00"))
		case unix.NFTA_RULE_HANDLE:
			r.handle = value
		case unix.NFTA_RULE_EXPRESSIONS:
			eachAttribute(value, func(_ uint16, expression []byte) {
				isCounter := false
				eachAttribute(expression, func(kind uint16, value []byte) {
					switch {
					case kind == unix.NFTA_EXPR_NAME:
						isCounter = string(bytes.TrimRight(value, "\x00")) == "counter"
					case kind == unix.NFTA_EXPR_DATA && isCounter:
						r.count = readCount(value)
					}
				})
			})
		}
	})
	return r
}

// dumpedChain is what a dump says of a chain.
type dumpedChain struct {
	table, chain string
	policy       count
}

func readChain(attrs []byte) (c dumpedChain) {
	eachAttribute(attrs, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_CHAIN_TABLE:
			c.table = string(bytes.TrimRight(value, "\x00"))
		case unix.NFTA_CHAIN_NAME:
			c.chain = string(bytes.TrimRight(value, "\x00"))
		case unix.NFTA_CHAIN_COUNTERS:
			c.policy = readCount(value)
		}
	})
	return c
}

// readCount reads the attributes of a counter.
func readCount(b []byte) (c count) {
	eachAttribute(b, func(kind uint16, value []byte) {
		switch {
		case len(value) < 8:
		case kind == unix.NFTA_COUNTER_BYTES:
			c.bytes = binary.BigEndian.Uint64(value)
		case kind == unix.NFTA_COUNTER_PACKETS:
			c.packets = binary.BigEndian.Uint64(value)
		}
	})
	return c
}

// attribute is a netlink attribute.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// text is an attribute with a text.
func text(kind uint16, value string) []byte { return attribute(kind, append([]byte(value), 0)) }

// eachAttribute walks netlink attributes.
func eachAttribute(b []byte, visit func(kind uint16, value []byte)) {
	for len(b) >= 4 {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			return
		}
		visit(binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[4:size])
		b = b[min(len(b), (size+3)&^3):]
	}
}

// ask asks for the object that attrs name, or with NLM_F_DUMP for all of a kind,
// and visits the attributes of each.
func (n *nftTable) ask(kind, flags uint16, attrs []byte, visit func(attrs []byte)) error {
	n.seq++
	m := binary.NativeEndian.AppendUint32(n.buf[:0], uint32(20+len(attrs)))
	m = binary.NativeEndian.AppendUint16(m, unix.NFNL_SUBSYS_NFTABLES<<8|kind)
	m = binary.NativeEndian.AppendUint16(m, unix.NLM_F_REQUEST|flags)
	m = binary.NativeEndian.AppendUint32(m, n.seq)
	m = append(m, 0, 0, 0, 0, n.family, unix.NFNETLINK_V0, 0, 0)
	if err := unix.Sendto(n.fd, append(m, attrs...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("asking nftables: %w", err)
	}
	for {
		got, _, err := unix.Recvfrom(n.fd, n.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("the answer of nftables: %w", err)
		}
		for b := n.buf[:got]; len(b) >= 16; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < 16 || size > len(b) {
				return fmt.Errorf("the answer of nftables: a message of %d bytes", size)
			}
			switch binary.NativeEndian.Uint16(b[4:]) {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				if size >= 20 {
					return fmt.Errorf("the answer of nftables: %w", syscall.Errno(-int32(binary.NativeEndian.Uint32(b[16:]))))
				}
			default:
				if size > 20 {
					visit(b[20:size])
				}
				if flags&unix.NLM_F_DUMP == 0 {
					return nil
				}
			}
			b = b[min(len(b), (size+3)&^3):]
		}
	}
}
