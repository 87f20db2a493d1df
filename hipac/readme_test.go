package hipac_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's program is the package example, so that it compiles and runs.
func TestTheReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, body, ok := strings.Cut(string(example), "func Example() {\n")
	require.True(t, ok)
	body, _, ok = strings.Cut(body, "\tfmt.Println(ok, m.Position, m.Value)\n")
	require.True(t, ok)
	require.Contains(t, string(readme), "func main() {\n"+body+"\tfmt.Println(ok, m.Position, m.Value) // true 1 web\n}")
}
