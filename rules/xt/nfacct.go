package xt

// The match nfacct: named accounts, which count the packets that reach them.
// The caller makes them, as nfacct(8) makes the kernel's; without a quota the
// match always holds, with one it holds once the quota is used up.

import (
	"sort"

	"github.com/hipac-go/classifier/rules"
)

// Account is a named account.
type Account struct {
	Packets, Bytes uint64 // counted so far
	// Quota is in bytes, or in packets; it counts when HasQuota is set.
	HasQuota, QuotaPackets bool
	Quota                  uint64
}

type account struct{ Account }

// SetAccount makes an account, or replaces it with its counters.
func (s *State) SetAccount(name string, a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts == nil {
		s.accounts = map[string]*account{}
	}
	s.accounts[name] = &account{a}
}

// DeleteAccount takes an account away; matches that name it are unsure.
func (s *State) DeleteAccount(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, name)
}

// Account returns an account as it is now.
func (s *State) Account(name string) (Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[name]; a != nil {
		return a.Account, true
	}
	return Account{}, false
}

// Accounts returns the names of the accounts in order.
func (s *State) Accounts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for n := range s.accounts {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

type nfacct struct{ name string }

// Accounting returns the test "nfacct".
func Accounting(name string) rules.Test { return &nfacct{name} }

func (n *nfacct) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	a := s.accounts[n.name]
	if a == nil {
		return rules.Unsure, "nfacct account " + n.name
	}
	size, ok := t.size()
	if !ok {
		return rules.Unsure, needsLength
	}
	a.Packets++
	a.Bytes += size
	used := a.Bytes
	if a.QuotaPackets {
		used = a.Packets
	}
	return answer(!a.HasQuota || used > a.Quota), ""
}
