package iptables

// The schema: documents that are written are valid under it, and documents
// with a part that there is not are not. The validator knows the keywords that
// the schema uses, and no others.

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// validator checks values against the definitions of a schema.
type validator struct {
	t    *testing.T
	root map[string]any
}

func newValidator(t *testing.T) *validator {
	v := &validator{t: t}
	require.NoError(t, json.Unmarshal(Schema(), &v.root))
	return v
}

func (v *validator) validText(document string) bool {
	var value any
	require.NoError(v.t, json.Unmarshal([]byte(document), &value), document)
	return v.valid(v.root, value)
}

func (v *validator) valid(schema any, value any) bool {
	if allow, ok := schema.(bool); ok {
		return allow
	}
	s := schema.(map[string]any)
	object, isObject := value.(map[string]any)
	list, isList := value.([]any)
	text, isText := value.(string)
	number, isNumber := value.(float64)
	for key, arg := range s {
		ok := true
		switch key {
		case "$schema", "$id", "$defs", "title", "description", "examples":
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/$defs/")
			def := v.root["$defs"].(map[string]any)[name]
			require.NotNil(v.t, def, name)
			ok = v.valid(def, value)
		case "type":
			ok = map[string]bool{"object": isObject, "array": isList, "string": isText, "number": isNumber,
				"integer": isNumber && number == float64(uint64(number)), "boolean": reflect.TypeOf(value) == reflect.TypeOf(true)}[arg.(string)]
		case "const":
			ok = reflect.DeepEqual(arg, value)
		case "enum":
			ok = slices.ContainsFunc(arg.([]any), func(x any) bool { return reflect.DeepEqual(x, value) })
		case "anyOf":
			ok = slices.ContainsFunc(arg.([]any), func(x any) bool { return v.valid(x, value) })
		case "allOf":
			ok = !slices.ContainsFunc(arg.([]any), func(x any) bool { return !v.valid(x, value) })
		case "not":
			ok = !v.valid(arg, value)
		case "required":
			for _, name := range arg.([]any) {
				_, has := object[name.(string)]
				ok = ok && (!isObject || has)
			}
		case "properties":
			for name, x := range object {
				if p, has := arg.(map[string]any)[name]; has {
					ok = ok && v.valid(p, x)
				}
			}
		case "additionalProperties":
			for name := range object {
				_, has := s["properties"].(map[string]any)[name]
				ok = ok && has
			}
		case "items":
			for _, x := range list {
				ok = ok && v.valid(arg, x)
			}
		case "contains":
			ok = slices.ContainsFunc(list, func(x any) bool { return v.valid(arg, x) })
		case "minItems":
			ok = float64(len(list)) >= arg.(float64)
		case "maxItems":
			ok = float64(len(list)) <= arg.(float64)
		case "minimum":
			ok = !isNumber || number >= arg.(float64)
		case "maximum":
			ok = !isNumber || number <= arg.(float64)
		case "pattern":
			ok = !isText || regexp.MustCompile(strings.ReplaceAll(arg.(string), `\u0000`, `\x00`)).MatchString(text)
		default:
			require.Fail(v.t, "keyword "+key)
		}
		if !ok {
			return false
		}
	}
	return true
}

func TestWrittenDocumentsAreValidUnderTheSchema(t *testing.T) {
	v := newValidator(t)
	in, err := os.ReadFile("testdata/print.txt")
	require.NoError(t, err)
	read := 0
	for _, line := range strings.Split(string(in), "\n") {
		family := 4
		if text, ok := strings.CutPrefix(line, "@6 "); ok {
			family, line = 6, text
		}
		rs, err := Read(strings.NewReader("*filter\n:c - [0:0]\n:d - [0:0]\n"+line+"\nCOMMIT\n"), Options{Family: family})
		if err != nil || line == "" || line[0] == ' ' || line[0] == '#' {
			continue
		}
		read++
		var b bytes.Buffer
		require.NoError(t, WriteJSON(&b, rs, true))
		require.True(t, v.validText(b.String()), b.String())
	}
	require.Greater(t, read, 50)
	golden, err := os.ReadFile("testdata/rules.json")
	require.NoError(t, err)
	require.True(t, v.validText(string(golden)))
}

func TestDocumentsWithUnknownPartsAreNotValid(t *testing.T) {
	v := newValidator(t)
	rule := func(text string) string {
		return `{"format": "hipac-iptables", "version": 1, "family": 4, "tables": [{"name": "filter", "chains": [{"name": "INPUT", "policy": "DROP", "rules": [` + text + `]}]}]}`
	}
	require.True(t, v.validText(rule(`{"options": [{"name": "src", "values": ["1.1.1.1"]}], "jump": "c"}`)))
	require.True(t, v.validText(rule(`{"matches": [{"name": "comment", "options": [{"name": "comment", "values": [{"hex": "ff"}]}]}]}`)))
	for _, bad := range []string{
		rule(`{"rule": 1}`),
		rule(`{"jump": "c", "goto": "c"}`),
		rule(`{"packets": -1}`),
		rule(`{"options": [{"name": "source"}]}`),
		rule(`{"options": [{"name": "jump", "values": ["c"]}]}`),
		rule(`{"matches": [{"name": "tpc"}]}`),
		rule(`{"matches": [{"name": "comment"}]}`),
		rule(`{"matches": [{"name": "comment", "options": []}]}`),
		rule(`{"matches": [{"name": "tcp", "options": [{"name": "dprot", "values": ["1"]}]}]}`),
		rule(`{"matches": [{"name": "tcp", "options": [{"name": "dport", "values": ["1", "2"]}]}]}`),
		rule(`{"matches": [{"name": "multiport", "options": []}]}`),
		rule(`{"target": {"name": "tcp"}}`),
		rule(`{"target": {"name": "ACCEPT", "options": [{"name": "x"}]}}`),
		`{"format": "hipac-iptables", "version": 1, "family": 5, "tables": []}`,
		`{"format": "hipac-iptables", "version": 1, "family": 4, "tables": [{"name": "filters"}]}`,
		`{"format": "hipac-iptables", "version": 1, "family": 4, "tables": [{"name": "raw", "chains": [{"name": "c", "policy": "DROP"}]}]}`,
		`{"family": 4, "tables": []}`,
	} {
		require.False(t, v.validText(bad), bad)
		_, err := ReadJSON(strings.NewReader(bad), Options{})
		require.Error(t, err, bad)
	}
	Schema()[0] = 'x'
	require.True(t, json.Valid(Schema()), "callers cannot change it")
}
