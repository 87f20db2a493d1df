package classbench

import (
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// FuzzReadPrintsWhatItReads looks for rules that are accepted and not written so
// that they are read back.
func FuzzReadPrintsWhatItReads(f *testing.F) {
	f.Add(sample, false)
	f.Add(sample, true)
	f.Add("@::1/128\t::/0\t0 : 65535\t65535 : 65535\t0x06/0xFF\t0x0000/0x0200\n# a comment\n\n@::ffff:1.2.3.4/96 2001:db8::/33 1:1 0:0 255/255\n", true)
	f.Add("@0.0.0.0/32 255.255.255.255/31 0 : 0 1 : 65535 0x00/0x00 0xffff/0xffff", true)
	f.Fuzz(func(t *testing.T, in string, six bool) {
		o := Options{Limits: rules.Limits{MaxRules: 1000, MaxInput: 1 << 16}}
		if six {
			o.Fields = 6
		}
		l, err := Read(strings.NewReader(in), o)
		if err != nil {
			var typed *rules.ParseError
			require.True(t, errors.As(err, &typed) || errors.Is(err, rules.ErrLimit), "%v", err)
			return
		}
		if l.Len() == 0 {
			return
		}
		text := func(l *rules.List[Flags]) string {
			var b strings.Builder
			require.NoError(t, Write(&b, l))
			return b.String()
		}
		printed := text(l)
		again, err := Read(strings.NewReader(printed), o)
		require.NoError(t, err, printed)
		require.Equal(t, printed, text(again))
		require.Equal(t, l.Len(), again.Len())
		require.Equal(t, l.Schema(), again.Schema())
		for i, r := range l.All() {
			s := again.At(i)
			require.Equal(t, r.Value, s.Value)
			require.Equal(t, len(r.Conds), len(s.Conds))
			for j := range r.Conds {
				require.True(t, r.Conds[j].Equal(&s.Conds[j]), "rule %d of %q", i, printed)
			}
		}
	})
}

// FuzzTraceReadsBack does the same for traces.
func FuzzTraceReadsBack(f *testing.F) {
	f.Add("167772161 3232235777 4242 443 6 0 17\n10.0.0.1 192.0.2.7 0 65535 17\n", false)
	f.Add("1 340282366920938463463374607431768211455 1 2 255\n::1 2001:db8::7 0 65535 17 9 9\n", true)
	f.Fuzz(func(t *testing.T, in string, six bool) {
		s := rules.IPv4Tuple
		if six {
			s = rules.IPv6Tuple
		}
		read := func(text string) (keys []rules.Key, from []int64, err error) {
			r := NewTraceReader(strings.NewReader(text), Options{Schema: s})
			for {
				k := s.NewKey()
				n, err := r.Next(k)
				if errors.Is(err, io.EOF) {
					return keys, from, nil
				}
				if err != nil {
					return nil, nil, err
				}
				require.NoError(t, s.CheckKey(k))
				keys, from = append(keys, k), append(from, n)
			}
		}
		keys, from, err := read(in)
		if err != nil {
			return
		}
		var all iter.Seq2[rules.Key, int64] = func(yield func(rules.Key, int64) bool) {
			for i := range keys {
				if !yield(keys[i], from[i]) {
					return
				}
			}
		}
		var b strings.Builder
		require.NoError(t, WriteTrace(&b, s, all))
		again, same, err := read(b.String())
		require.NoError(t, err, b.String())
		require.Equal(t, keys, again)
		require.Equal(t, from, same)
	})
}
