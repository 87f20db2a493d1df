package compare

// Processes that crash, hang or print anything but replies. The test binary is
// the peer's program: what it does wrong is its argument.

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

const fakePeer = "fake-peer"

// fake returns the command of a peer that does what is asked.
func fake(t *testing.T, what string) []string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return []string{exe, fakePeer, what}
}

// runFake is the peer's program.
func runFake(what string) int {
	switch what {
	case "exit":
		fmt.Fprintln(os.Stderr, "one\ntwo\nthree\ncannot find my library")
		return 3
	case "quiet":
		return 0
	case "garbage":
		fmt.Println("EAL: Detected 2 lcore(s)")
	case "flood":
		for {
			if _, err := os.Stdout.WriteString("xxxxxxxx"); err != nil {
				return 0
			}
		}
	case "version":
		fmt.Println(`{"hipac-peer":99}`)
	case "data":
		fmt.Println(`{"hipac-peer":1,"data":100000000000}`)
	case "hang":
		time.Sleep(time.Hour)
	case "deaf":
		// It says what it has, and reads no more.
		fmt.Println(`{"hipac-peer":1,"makers":[{"name":"deaf"}]}`)
		time.Sleep(time.Hour)
	}
	makers := append(Own(), fakeMakers()...)
	if what == "bad" {
		makers = badMakers()
	}
	if err := Serve(os.Stdin, os.Stdout, makers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// badMakers make engines that go wrong when they are asked.
func badMakers() []*Maker {
	bad := func(name string, first func([]int32)) *Maker {
		return &Maker{Name: name, Make: func(context.Context, *rules.List[string], int64) (Engine, error) { return engineFunc(first), nil }}
	}
	return []*Maker{
		bad("panics", func(out []int32) { out[len(out)] = 1 }),
		bad("killed", func([]int32) {
			fmt.Fprintln(os.Stderr, "about to go")
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			time.Sleep(time.Hour)
		}),
		bad("hangs", func([]int32) { time.Sleep(time.Hour) }),
		bad("prints", func([]int32) { fmt.Println("now classifying") }),
		bad("endless", func([]int32) {
			for {
				fmt.Fprintln(os.Stderr, strings.Repeat("x", 1000))
			}
		}),
		spinner("works", func(context.Context) {
			for n := 1; n != 0; n |= 1 {
			}
		}),
		bad("hoards", func([]int32) {
			var all [][]byte
			for {
				b := make([]byte, 64<<20)
				all = append(all, b)
				_ = all
			}
		}),
	}
}

type engineFunc func([]int32)

func (f engineFunc) First(_ []uint32, out []int32) { f(out) }
func (engineFunc) Bytes() int64                    { return 1 }
func (engineFunc) Close()                          {}

func TestAProgramThatIsNoPeerIsReported(t *testing.T) {
	for _, test := range []struct {
		what string
		is   error
		says string
	}{
		{"exit", ErrCrashed, "crashed: exit status 3 (asked to list): two; three; cannot find my library"},
		{"quiet", ErrCrashed, "crashed: it ended by itself (asked to list)"},
		{"garbage", ErrGarbage, `no reply: "EAL: Detected 2 lcore(s)"`},
		{"flood", ErrGarbage, "a line longer than"},
		{"version", ErrGarbage, "a reply of version 99 instead of 1"},
		{"data", ErrGarbage, "100000000000 bytes of data instead of 0"},
		{"hang", ErrHung, "no answer in time: context deadline exceeded (asked to list)"},
	} {
		t.Run(test.what, func(t *testing.T) {
			limit := 30 * time.Second
			if test.is == ErrHung {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := Start(ctx, fake(t, test.what)...)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, err := Start(t.Context(), "/nowhere/peers")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Start(t.Context())
	require.ErrorContains(t, err, "no program")
}

// loaded returns the contestant of a peer's program.
func loaded(t *testing.T, name string, bytes int64) Contestant {
	t.Helper()
	p, err := Start(t.Context(), fake(t, "bad")...)
	require.NoError(t, err)
	for _, c := range p.Contestants() {
		if c.About().Name == name {
			l, keys := set(t, 20)
			_, err := c.Load(t.Context(), l, bytes)
			require.NoError(t, err)
			_, err = c.Keys(t.Context(), keys)
			require.NoError(t, err)
			t.Cleanup(func() { c.Close() })
			return c
		}
	}
	require.FailNow(t, "no such engine", name)
	return nil
}

func TestAnEngineThatGoesWrongIsReported(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes int64
		is    error
		says  []string
	}{
		{"panics", 0, ErrCrashed, []string{"panics: crashed: exit status 2 (asked to pass)", "panic: runtime error: index out of range"}},
		{"killed", 0, ErrCrashed, []string{"killed: crashed: signal: killed (asked to pass): about to go"}},
		{"hangs", 0, ErrHung, []string{"hangs: no answer in time"}},
		{"prints", 0, ErrGarbage, []string{`no reply: "now classifying"`}},
		{"hoards", 1 << 20, ErrCrashed, []string{"hoards: crashed: exit status 2 (asked to pass)", "out of memory"}},
		{"endless", 0, ErrHung, []string{"endless: no answer in time", "xxx..."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.bytes > 0 && (runtime.GOOS != "linux" || strconv.IntSize < 64) {
				t.Skip("memory is bounded on Linux, and here above the address space")
			}
			c := loaded(t, test.name, test.bytes)
			limit := 30 * time.Second
			if test.is == ErrHung {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := c.Pass(ctx, 0, 500, 1)
			require.ErrorIs(t, err, test.is)
			for _, says := range test.says {
				require.ErrorContains(t, err, says)
			}
			// It stays so, until it is loaded again.
			_, again := c.Pass(t.Context(), 0, 500, 1)
			require.Equal(t, err, again)
			l, _ := set(t, 20)
			_, err = c.Load(t.Context(), l, 0)
			require.NoError(t, err)
		})
	}
}

func TestACancelledCallSaysThatItWas(t *testing.T) {
	c := loaded(t, "hangs", 0)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := c.Pass(ctx, 0, 500, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrHung)
}

func TestAPeerThatDoesNotReadIsGivenUp(t *testing.T) {
	p, err := Start(t.Context(), fake(t, "deaf")...)
	require.NoError(t, err)
	c := p.Contestants()[0]
	l, _ := set(t, 20_000) // more than a pipe holds
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = c.Load(ctx, l, 0)
	require.Error(t, err)
	require.NoError(t, c.Close())
}

func TestServeEndsWithItsInput(t *testing.T) {
	require.NoError(t, Serve(strings.NewReader(""), io.Discard, nil))
	require.Error(t, Serve(strings.NewReader("hello\n"), io.Discard, nil))
	require.ErrorContains(t, Serve(strings.NewReader(`{"op":"load","data":9000000000000}`+"\n"), io.Discard, nil), "too many")
	var out strings.Builder
	require.NoError(t, Serve(strings.NewReader(`{"op":"sing","data":3}`+"\nabc"+`{"op":"pass"}`+"\n"+`{"op":"load","engine":"x"}`+"\n"), &out, nil))
	require.Equal(t, 3, strings.Count(out.String(), "\n"), out.String())
	require.Contains(t, out.String(), "there is no engine")
}
