package main

// The operators: from a function's syntax to its mutations. This file has those
// on expressions, statements.go those on statements. Each makes one change:
//
//	border      a < b: a <= b, and so on; == and != are swapped
//	negate      a < b: a >= b; a condition c: !(c); !c: c
//	logic       && and || are swapped; true and false are
//	index       x[i]: x[i+1], x[i-1]
//	bound       x[i:j]: both bounds one up and one down; range n: n-1 and n+1;
//	            range over a list: without its last
//	arithmetic  + and - are swapped, * is +, / is *, % is /; min and max are
//	            swapped; -x is x
//	mask        x & m: x & (m ^ 1); & and | are swapped, ^ is |, &^ is &; ^x is x
//	shift       << and >> are swapped; x << k: x << (k+1)
//	constant    a whole number: one more, one less
//	assign      x = y: left out (y is still evaluated); += is -=, and so on;
//	            ++ and -- are swapped, and left out
//	call        a statement that calls: left out, also a deferred one
//	leave       return, break and continue: left out; break and continue are swapped
//	early       a return at the head of a function, with zeros or true
//	answer      a returned whole number: one more; a returned error: nil
//	case        the body of a case: left out
//
// What does not compile is no mutation, and of several that make the same text
// one is left. Locks are left alone, as are capacities in make.

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// function is a function declaration that mutations are made in.
type function struct {
	name       string
	decl       *ast.FuncDecl
	source     []byte // of its file
	start, end int    // the declaration in the file, without its comment
	hash       string
	file       *sourceFile
}

// walker makes the mutations of one function.
type walker struct {
	f    *function
	info *types.Info
	base int // position of the file's first byte
	path []ast.Node
	skip map[ast.Node]bool
	out  []*Mutation
}

// mutate returns the mutations of a function, in order of position.
func mutate(f *function, info *types.Info, base int) []*Mutation {
	w := &walker{f: f, info: info, base: base, skip: map[ast.Node]bool{}}
	w.head()
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		if n == nil {
			w.path = w.path[:len(w.path)-1]
			return true
		}
		if w.skip[n] {
			return false
		}
		w.node(n)
		w.path = append(w.path, n)
		return true
	})
	return w.out
}

func (w *walker) offset(p token.Pos) int { return int(p) - w.base }

func (w *walker) src(n ast.Node) string {
	return string(w.f.source[w.offset(n.Pos()):w.offset(n.End())])
}

// emit adds a mutation: the text between two positions becomes another.
func (w *walker) emit(op string, from, to token.Pos, text string) {
	w.out = append(w.out, &Mutation{File: w.f.file.name, Func: w.f.name, Op: op, function: w.f,
		start: w.offset(from), end: w.offset(to), text: text})
}

func (w *walker) replace(op string, n ast.Node, text string) { w.emit(op, n.Pos(), n.End(), text) }

// up returns the nth node above the one that is looked at, from 1.
func (w *walker) up(n int) ast.Node {
	if n > len(w.path) {
		return nil
	}
	return w.path[len(w.path)-n]
}

func (w *walker) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		w.binary(n)
	case *ast.UnaryExpr:
		w.unary(n)
	case *ast.IndexExpr:
		w.index(n)
	case *ast.SliceExpr:
		w.slice(n)
	case *ast.BasicLit:
		w.literal(n)
	case *ast.Ident:
		w.ident(n)
	case *ast.CallExpr:
		w.call(n)
	case *ast.CaseClause:
		w.clause(n)
	case ast.Stmt:
		w.statement(n)
	}
}

// isInteger reports whether an expression is of an integer type.
func (w *walker) isInteger(e ast.Expr) bool {
	t := w.info.TypeOf(e)
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

func (w *walker) isBool(e ast.Expr) bool {
	t := w.info.TypeOf(e)
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

var borders = map[token.Token][2]token.Token{
	token.LSS: {token.LEQ, token.GEQ},
	token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ},
	token.GEQ: {token.GTR, token.LSS},
}

func (w *walker) binary(n *ast.BinaryExpr) {
	if pair, ok := borders[n.Op]; ok {
		w.swap("border", n, pair[0])
		w.swap("negate", n, pair[1])
		return
	}
	switch n.Op {
	case token.EQL:
		w.swap("border", n, token.NEQ)
	case token.NEQ:
		w.swap("border", n, token.EQL)
	case token.LAND:
		w.swap("logic", n, token.LOR)
	case token.LOR:
		w.swap("logic", n, token.LAND)
	}
	if !w.isInteger(n) {
		return
	}
	switch n.Op {
	case token.ADD:
		w.swap("arithmetic", n, token.SUB)
	case token.SUB:
		w.swap("arithmetic", n, token.ADD)
	case token.MUL:
		w.swap("arithmetic", n, token.ADD)
	case token.QUO:
		w.swap("arithmetic", n, token.MUL)
	case token.REM:
		w.swap("arithmetic", n, token.QUO)
	case token.AND:
		w.swap("mask", n, token.OR)
		if _, ok := n.Y.(*ast.BasicLit); !ok {
			w.replace("mask", n.Y, "("+w.src(n.Y)+" ^ 1)")
		}
	case token.OR:
		w.swap("mask", n, token.AND)
	case token.XOR:
		w.swap("mask", n, token.OR)
	case token.AND_NOT:
		w.swap("mask", n, token.AND)
	case token.SHL:
		w.swap("shift", n, token.SHR)
		w.further(n.Y)
	case token.SHR:
		w.swap("shift", n, token.SHL)
		w.further(n.Y)
	}
}

// further shifts by one more; a literal is changed as one.
func (w *walker) further(by ast.Expr) {
	if _, ok := by.(*ast.BasicLit); !ok {
		w.replace("shift", by, "("+w.src(by)+" + 1)")
	}
}

// swap puts another operator in the place of a binary one. Its operands stay what
// they were, whatever its precedence.
func (w *walker) swap(op string, n *ast.BinaryExpr, to token.Token) {
	if to.Precedence() == n.Op.Precedence() {
		w.emit(op, n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), to.String())
		return
	}
	operand := func(e ast.Expr) string {
		if b, ok := e.(*ast.BinaryExpr); ok && b.Op.Precedence() <= to.Precedence() {
			return "(" + w.src(e) + ")"
		}
		return w.src(e)
	}
	text := operand(n.X) + " " + to.String() + " " + operand(n.Y)
	switch w.up(1).(type) {
	case *ast.BinaryExpr, *ast.UnaryExpr:
		text = "(" + text + ")"
	}
	w.replace(op, n, text)
}

func (w *walker) unary(n *ast.UnaryExpr) {
	switch n.Op {
	case token.NOT:
		w.replace("negate", n, w.src(n.X))
	case token.SUB:
		w.replace("arithmetic", n, w.src(n.X))
	case token.XOR:
		w.replace("mask", n, w.src(n.X))
	}
}

// isCondition reports whether negating a whole condition is a change of its own:
// comparisons and negations have theirs.
func (w *walker) isCondition(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return e.Op == token.LAND || e.Op == token.LOR
	case *ast.UnaryExpr:
		return false
	case *ast.ParenExpr:
		return w.isCondition(e.X)
	}
	return w.isBool(e)
}

func (w *walker) condition(e ast.Expr) {
	if e != nil && w.isCondition(e) {
		w.replace("negate", e, "!("+w.src(e)+")")
	}
}

// isList reports whether places of an expression's value are numbered from 0.
func (w *walker) isList(e ast.Expr) bool {
	t := w.info.TypeOf(e)
	if t == nil {
		return false
	}
	switch t := t.Underlying().(type) {
	case *types.Slice, *types.Array:
		return true
	case *types.Basic:
		return t.Info()&types.IsString != 0
	case *types.Pointer:
		_, ok := t.Elem().Underlying().(*types.Array)
		return ok
	}
	return false
}

func (w *walker) index(n *ast.IndexExpr) {
	if tv, ok := w.info.Types[n.X]; !ok || !tv.IsValue() || !w.isList(n.X) {
		return
	}
	w.shifted("index", n.Index)
}

// shifted moves an index or a bound by one, up and down.
func (w *walker) shifted(op string, e ast.Expr) {
	if e == nil {
		return
	}
	if _, ok := e.(*ast.BasicLit); ok {
		return // changed as a constant
	}
	text := w.src(e)
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op.Precedence() < token.ADD.Precedence() {
		text = "(" + text + ")"
	}
	w.replace(op, e, text+" + 1")
	w.replace(op, e, text+" - 1")
}

func (w *walker) slice(n *ast.SliceExpr) {
	w.shifted("bound", n.Low)
	w.shifted("bound", n.High)
}

// literal is one more or less. Lengths of arrays are left.
func (w *walker) literal(n *ast.BasicLit) {
	if n.Kind != token.INT {
		return
	}
	if _, ok := w.up(1).(*ast.ArrayType); ok {
		return
	}
	v, err := strconv.ParseInt(n.Value, 0, 64)
	if err != nil {
		return
	}
	w.replace("constant", n, inBase(v+1, n.Value))
	w.replace("constant", n, inBase(v-1, n.Value))
}

// inBase writes a number as another one is written.
func inBase(v int64, like string) string {
	if v < 0 || len(like) < 2 {
		return strconv.FormatInt(v, 10)
	}
	switch like[:2] {
	case "0x", "0X":
		return "0x" + strconv.FormatInt(v, 16)
	case "0b", "0B":
		return "0b" + strconv.FormatInt(v, 2)
	}
	return strconv.FormatInt(v, 10)
}

func (w *walker) isBuiltin(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	if !ok || id.Name != name {
		return false
	}
	_, ok = w.info.Uses[id].(*types.Builtin)
	return ok
}

func (w *walker) ident(n *ast.Ident) {
	if w.info.Uses[n] == types.Universe.Lookup(n.Name) {
		switch n.Name {
		case "true":
			w.replace("logic", n, "false")
		case "false":
			w.replace("logic", n, "true")
		}
	}
}

func (w *walker) call(n *ast.CallExpr) {
	switch {
	case w.isBuiltin(n.Fun, "make") && len(n.Args) == 3:
		w.skip[n.Args[2]] = true // a capacity
	case w.isBuiltin(n.Fun, "min"):
		w.replace("arithmetic", n.Fun, "max")
	case w.isBuiltin(n.Fun, "max"):
		w.replace("arithmetic", n.Fun, "min")
	}
}

// isLock reports whether a call takes or gives back a lock.
func isLock(n *ast.CallExpr) bool {
	s, ok := n.Fun.(*ast.SelectorExpr)
	return ok && strings.HasSuffix(strings.ToLower(s.Sel.Name), "lock")
}
