package iptables

// The JSON Schema (draft 2020-12) of rule sets in JSON, from the registry. It
// says which matches, targets and options there are, how many values they take
// and which are mandatory; what the values may be it says in words.

import (
	"encoding/json"
	"strings"
	"sync"
)

// Schema returns a JSON Schema of the documents that ReadJSON reads. A
// document that ReadJSON takes without Options.AllowUnknown is valid; a valid
// one may still have values, or parts that do not go together, which ReadJSON
// refuses.
func Schema() []byte { return append([]byte(nil), schemaText()...) }

var schemaText = sync.OnceValue(func() []byte {
	text, err := json.MarshalIndent(makeSchema(Describe()), "", " ")
	if err != nil {
		panic("iptables: " + err.Error()) // maps of texts and numbers
	}
	return append(text, '\n')
})

// node is an object of a schema.
type node map[string]any

func makeSchema(c *Catalog) node {
	defs := node{
		"text": node{"anyOf": []node{
			{"type": "string", "pattern": `^[^\u0000\n]*$`},
			{"type": "number"},
			object(node{"hex": node{"type": "string", "pattern": "^([0-9A-Fa-f]{2})+$"}}, "hex"),
		}, "description": "a text as it stands in a line of rules, without quotes; bytes that are not UTF-8 as hexadecimal digits"},
		"counter": node{"type": "integer", "minimum": 0, "maximum": uint64(1<<64 - 1)},
	}
	var matches, targets []node
	for _, e := range c.Matches {
		matches = append(matches, defineExtension(defs, e))
	}
	for _, e := range c.Targets {
		targets = append(targets, defineExtension(defs, e))
	}
	var options []node
	for i := range c.Options {
		if p := &c.Options[i]; p.Name != "match" && p.Name != "jump" && p.Name != "goto" && p.Name != "set-counters" {
			options = append(options, optionSchema(p))
		}
	}
	defs["match"] = node{"anyOf": matches}
	defs["target"] = node{"anyOf": targets}
	rule := object(node{
		"packets": ref("counter"), "bytes": ref("counter"),
		"options": node{"type": "array", "items": node{"anyOf": options}},
		"matches": node{"type": "array", "items": ref("match")},
		"target":  ref("target"), "jump": ref("text"), "goto": ref("text"),
	})
	rule["allOf"] = []node{
		{"not": node{"required": []string{"jump", "goto"}}},
		{"not": node{"required": []string{"jump", "target"}}},
		{"not": node{"required": []string{"goto", "target"}}},
	}
	defs["rule"] = rule
	var tables []node
	for _, t := range c.Tables {
		tables = append(tables, object(node{"name": node{"const": t.Name, "description": t.Help},
			"chains": node{"type": "array", "items": node{"anyOf": []node{
				object(node{"name": node{"enum": t.Chains}, "policy": node{"enum": []string{"ACCEPT", "DROP"}},
					"packets": ref("counter"), "bytes": ref("counter"), "rules": ruleList()}, "name"),
				object(node{"name": ref("text"), "rules": ruleList()}, "name"),
			}}}}, "name"))
	}
	doc := object(node{
		"format":  node{"const": jsonFormat},
		"version": node{"const": jsonVersion},
		"family":  node{"enum": []int{4, 6}, "description": "4 for the rules of iptables, 6 for those of ip6tables"},
		"tables":  node{"type": "array", "items": node{"anyOf": tables}},
	}, "format", "version", "family", "tables")
	doc["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	doc["$id"] = "https://github.com/hipac-go/classifier/rules/iptables/rules.schema.json"
	doc["title"] = "iptables rules"
	doc["$defs"] = defs
	return doc
}

func ref(name string) node { return node{"$ref": "#/$defs/" + name} }

func ruleList() node { return node{"type": "array", "items": ref("rule")} }

// object is an object of these properties and no others.
func object(properties node, required ...string) node {
	n := node{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		n["required"] = required
	}
	return n
}

// defineExtension adds a match or target to the definitions, and returns a
// reference to it.
func defineExtension(defs node, e *Extension) node {
	options := node{"type": "array"}
	var each, must []node
	for i := range e.Params {
		p := &e.Params[i]
		each = append(each, optionSchema(p))
		if p.Mandatory {
			must = append(must, node{"contains": object(node{"name": node{"enum": append([]string{p.Name}, p.Aliases...)}, "not": true, "values": true}, "name")})
		}
	}
	required := []string{"name"}
	if e.Supported {
		if options["items"] = any(false); each != nil {
			options["items"] = node{"anyOf": each}
		}
		if must != nil {
			options["allOf"] = must
		}
		if e.Needs != "" {
			options["minItems"] = 1
		}
		if e.Needs == "exactly one" {
			options["maxItems"] = 1
		}
		if must != nil || e.Needs != "" {
			required = append(required, "options")
		}
	}
	def := object(node{"name": node{"enum": append([]string{e.Name}, e.Aliases...)}, "options": options}, required...)
	if def["description"] = e.Summary; !e.Supported {
		def["description"] = strings.TrimSpace(e.Summary + " (not modelled)")
	}
	name := e.Kind + "." + e.Name
	defs[name] = def
	return ref(name)
}

func optionSchema(p *Param) node {
	properties := node{"name": node{"enum": append([]string{p.Name}, p.Aliases...)}, "not": node{"const": false}}
	if p.Negatable {
		properties["not"] = node{"type": "boolean"}
	}
	required := []string{"name"}
	if p.Words == 0 {
		properties["values"] = node{"type": "array", "maxItems": 0}
	} else {
		values := node{"type": "array", "items": ref("text"), "minItems": p.Words, "maxItems": p.Words}
		if p.Words < 0 {
			values["minItems"], values["maxItems"] = 0, 1
		} else {
			required = append(required, "values")
		}
		if a := p.Form.Accepts(); a != "" {
			values["description"] = a
		}
		if len(p.Form.Symbols) > 0 {
			values["examples"] = [][]string{p.Form.Symbols[:1]}
		}
		properties["values"] = values
	}
	n := object(properties, required...)
	if p.Help != "" {
		n["description"] = p.Help
	}
	return n
}
