//go:build linux

package kernel

// The kernel's counters of a table, read as libiptc reads them: the socket
// options give the table as one block of entries, in which the chains follow
// one another. A read takes some microseconds, so that counters can be
// compared behind every packet.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// count is a pair of counters.
type count struct{ packets, bytes uint64 }

// kernelTable reads the counters of one table.
type kernelTable struct {
	fd, level int
	info      [84]byte // struct ipt_getinfo
	block     []byte   // struct ipt_get_entries
	chains    []kernelChain
}

// kernelChain says where the counters of a chain's rules are in the block. The
// last is that of the policy, and in a user chain that of its end.
type kernelChain struct {
	name string
	at   []int
}

var hookChains = [...]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// openCounters finds the chains of a table that is loaded by the legacy tools.
func openCounters(family int, name string) (*kernelTable, error) {
	k := &kernelTable{level: syscall.SOL_IP}
	domain, counters, target := syscall.AF_INET, 96, 88 // in struct ipt_entry
	if family == 6 {
		k.level, domain, counters, target = syscall.SOL_IPV6, syscall.AF_INET6, 152, 140
	}
	fd, err := syscall.Socket(domain, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("a raw socket: %w", err)
	}
	k.fd = fd
	copy(k.info[:], name)
	if err := k.get(64, k.info[:]); err != nil {
		k.close()
		return nil, fmt.Errorf("the kernel's table %s: %w", name, err)
	}
	word := func(i int) int { return int(binary.NativeEndian.Uint32(k.info[32+4*i:])) }
	valid, size := word(0), word(12)
	k.block = make([]byte, 40+size)
	copy(k.block, name)
	binary.NativeEndian.PutUint32(k.block[32:], uint32(size))
	if err := k.get(65, k.block); err != nil {
		k.close()
		return nil, fmt.Errorf("the entries of the kernel's table %s: %w", name, err)
	}

	var chain *kernelChain
	for at := 0; at < size; {
		entry := k.block[40+at:]
		to := int(binary.NativeEndian.Uint16(entry[target:]))
		next := int(binary.NativeEndian.Uint16(entry[target+2:]))
		for h, name := range hookChains {
			if valid>>h&1 != 0 && word(1+h) == at {
				k.chains = append(k.chains, kernelChain{name: name})
				chain = &k.chains[len(k.chains)-1]
			}
		}
		if name, _, _ := bytes.Cut(entry[to+2:to+31], []byte{0}); string(name) == "ERROR" {
			user, _, _ := bytes.Cut(entry[to+32:], []byte{0})
			k.chains = append(k.chains, kernelChain{name: string(user)})
			chain = &k.chains[len(k.chains)-1]
		} else {
			chain.at = append(chain.at, 40+at+counters)
		}
		at += next
	}
	k.chains = k.chains[:len(k.chains)-1] // the end of the table looks like a chain
	return k, nil
}

func (k *kernelTable) close() { syscall.Close(k.fd) }

func (k *kernelTable) get(option int, to []byte) error {
	n := uint32(len(to))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(k.fd), uintptr(k.level), uintptr(option),
		uintptr(unsafe.Pointer(&to[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// names are those of the chains.
func (k *kernelTable) names() (list []string) {
	for _, c := range k.chains {
		list = append(list, c.name)
	}
	return list
}

// counts returns the counters of all chains, reusing into.
func (k *kernelTable) counts(into [][]count) ([][]count, error) {
	if err := k.get(65, k.block); err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	if into == nil {
		into = make([][]count, len(k.chains))
	}
	for i, c := range k.chains {
		into[i] = into[i][:0]
		for _, at := range c.at {
			into[i] = append(into[i], count{binary.NativeEndian.Uint64(k.block[at:]), binary.NativeEndian.Uint64(k.block[at+8:])})
		}
	}
	return into, nil
}
