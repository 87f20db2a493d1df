package hipac_test

// The format: files of a version stay readable, and what opening one costs.

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules/saved"
)

var updateSaved = flag.Bool("update-saved", false, "write the files of testdata that hold saved classifiers")

// A change of the tree's layout, or of what the compiler makes of rules, shows
// here. When old files cannot be read as they should, saved.Version goes up by one;
// then, or when only what is compiled has changed, -update-saved writes new files.
func TestFilesOfThisVersionAreReadAndWritten(t *testing.T) {
	for name, o := range map[string]hipac.Options{"list": {}, "all-matches": {AllMatches: true}, "first-match": {FirstMatchOnly: true}} {
		c, err := hipac.Build(ctx, oddList(t), &o)
		require.NoError(t, err)
		path := filepath.Join("testdata", name+".hipac")
		if *updateSaved {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, save(t, c, text), 0o644))
		}
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(file, save(t, c, text)), "%s is not what is saved now: see the comment of this test", path)
		got, err := hipac.LoadBytes(file, text, nil)
		require.NoError(t, err)
		requireSameAnswers(t, c, got, someKeys(oddList(t), 100), !o.FirstMatchOnly)
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, family := range []string{"acl1", "fw1", "ipc1"} {
		l := generated(b, family, 100000)
		c, err := hipac.Build(ctx, l, nil)
		require.NoError(b, err)
		file := save(b, c, text)
		path := filepath.Join(b.TempDir(), "rules.hipac")
		require.NoError(b, os.WriteFile(path, file, 0o600))
		b.Run("set="+family+"/n=100k", func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				c, err := hipac.Open(path, text, nil)
				require.NoError(b, err)
				require.NoError(b, c.Close())
			}
		})
		b.Run("set="+family+"/n=100k/list", func(b *testing.B) {
			for b.Loop() {
				c, err := hipac.Open(path, text, nil)
				require.NoError(b, err)
				_, ok := c.List()
				require.True(b, ok)
				require.NoError(b, c.Close())
			}
		})
		b.Run("set="+family+"/n=100k/checksums", func(b *testing.B) {
			data, err := saved.Read(bytes.NewReader(file))
			require.NoError(b, err)
			for b.Loop() {
				_, err := saved.Parse(data)
				require.NoError(b, err)
			}
		})
	}
}
