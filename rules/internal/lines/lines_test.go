package lines

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func readAll(r *Reader) (got []string, err error) {
	for {
		line, number, err := r.Next()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, string(line))
		if number != len(got) || r.Number() != number {
			return got, errors.New("wrong line number")
		}
	}
}

func TestLinesAreReadWithAnyLineEnd(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                   nil,
		"\n":                                 {""},
		"a":                                  {"a"},
		"a\n":                                {"a"},
		"a\r\nb\r\n":                         {"a", "b"},
		"a\n\nb":                             {"a", "", "b"},
		"a\rb\n":                             {"a\rb"},
		"\xef\xbb\xbfa\n":                    {"a"},
		"a\n\xef\xbb\xbf":                    {"a", "\xef\xbb\xbf"},
		"a\r\r\n":                            {"a\r"},
		strings.Repeat("x", 70000) + "\ny\n": {strings.Repeat("x", 70000), "y"},
	} {
		for _, src := range []io.Reader{
			strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text)),
		} {
			got, err := readAll(NewReader(src, "f", rules.Limits{}))
			require.NoError(t, err, "%.40q", text)
			require.Equal(t, want, got, "%.40q", text)
		}
	}
}

func TestManyLinesSurviveBufferMoves(t *testing.T) {
	var want []string
	for i := range 20000 {
		want = append(want, strings.Repeat("abcdefg", i%97))
	}
	for _, end := range []string{"\n", "\r\n"} {
		got, err := readAll(NewReader(strings.NewReader(strings.Join(want, end)+end), "f", rules.Limits{}))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// endless yields x for ever and counts what was asked of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func TestLineWithoutEndIsRefusedAfterMaxLineBytes(t *testing.T) {
	src := &endless{}
	r := NewReader(io.MultiReader(strings.NewReader("first\n"), src), "f", rules.Limits{MaxLine: 100_000})
	_, _, err := r.Next()
	require.NoError(t, err)
	_, _, err = r.Next()
	require.ErrorIs(t, err, rules.ErrLimit)
	require.EqualError(t, err, "f:2:100001: line is longer than 100000 bytes")
	require.Less(t, src.read, 150_000)
	require.LessOrEqual(t, len(r.buf), 100_002)
	_, _, again := r.Next()
	require.Equal(t, err, again)
}

func TestMaxLineCountsTheLineWithoutItsEnd(t *testing.T) {
	for _, end := range []string{"", "\n", "\r\n"} {
		got, err := readAll(NewReader(strings.NewReader("abcde"+end), "f", rules.Limits{MaxLine: 5}))
		require.NoError(t, err, "%q", end)
		require.Equal(t, []string{"abcde"}, got)
		_, err = readAll(NewReader(strings.NewReader("ok\nabcdef"+end), "f", rules.Limits{MaxLine: 5}))
		require.EqualError(t, err, "f:2:6: line is longer than 5 bytes", "%q", end)
	}
}

func TestInputLongerThanMaxInputIsRefusedBehindItsLines(t *testing.T) {
	got, err := readAll(NewReader(strings.NewReader("ab\ncd\n"), "f", rules.Limits{MaxInput: 6}))
	require.NoError(t, err)
	require.Len(t, got, 2)

	got, err = readAll(NewReader(strings.NewReader("ab\ncd\nef"), "f", rules.Limits{MaxInput: 6}))
	require.ErrorIs(t, err, rules.ErrLimit)
	require.EqualError(t, err, "f:3: input is longer than 6 bytes")
	require.Equal(t, []string{"ab", "cd"}, got)

	src := &endless{}
	_, err = readAll(NewReader(src, "f", rules.Limits{MaxInput: 1000}))
	require.EqualError(t, err, "f:1: input is longer than 1000 bytes")
	require.Equal(t, 1001, src.read)

	_, err = readAll(NewReader(strings.NewReader("ab\ncd\nef"), "f", rules.Limits{MaxInput: -1}))
	require.NoError(t, err)
}

func TestNULByteIsRefusedWithItsColumn(t *testing.T) {
	got, err := readAll(NewReader(strings.NewReader("fine\nab\x00c\n"), "f", rules.Limits{}))
	require.Equal(t, []string{"fine"}, got)
	require.EqualError(t, err, "f:2:3: NUL byte: this is not a text file")
}

func TestReadErrorIsReportedWithItsLineAndCause(t *testing.T) {
	broken := errors.New("disk on fire")
	got, err := readAll(NewReader(io.MultiReader(strings.NewReader("one\ntwo"), iotest.ErrReader(broken)), "f", rules.Limits{}))
	require.Equal(t, []string{"one"}, got)
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "f:2: cannot read: disk on fire")
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

type liar struct{}

func (liar) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestReaderThatBreaksTheContractOfIOIsRefused(t *testing.T) {
	_, err := readAll(NewReader(stuck{}, "f", rules.Limits{}))
	require.ErrorIs(t, err, io.ErrNoProgress)
	_, err = readAll(NewReader(liar{}, "f", rules.Limits{}))
	require.ErrorContains(t, err, "impossible count")
}

func TestCheckUTF8NamesTheFirstBadByte(t *testing.T) {
	r := NewReader(strings.NewReader("gr\xc3\xbc\xc3\x9fe\nab\xc3\xbc\xff\xfe\n"), "f", rules.Limits{})
	line, _, err := r.Next()
	require.NoError(t, err)
	require.NoError(t, r.CheckUTF8(line))
	line, _, err = r.Next()
	require.NoError(t, err)
	require.EqualError(t, r.CheckUTF8(line), "f:2:5: byte 0xff is not UTF-8")
}
