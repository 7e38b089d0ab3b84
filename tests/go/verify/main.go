// Verify reads HOME/ledger in place with golang.org/x/mod/sumdb/{note,tlog} and shares no code with Affiant.
//
//	verify -dir HOME/ledger -vkey KEY [-old SIZE:BASE64ROOT] [-proof FILE -entry FILE]
//
// It opens the checkpoint, authenticates every entry that is published against the signed root, checks consistency with an older head, and
// checks a tlog-proof if one is given. Below a minimum index it takes leaf hashes out of the hash tiles, which the signed root covers. It
// prints one line and exits 0, or says what is wrong and exits 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type head struct {
	origin string
	size   int64
	root   tlog.Hash
}

func parseHead(text string) (head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return head{}, errors.New("a checkpoint has fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] {
		return head{}, fmt.Errorf("%q is no tree size", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return head{}, errors.New("a checkpoint has no proper root")
	}
	h := head{origin: lines[0], size: size}
	copy(h.root[:], root)
	return h, nil
}

// path gives the place of tile number n, width w, below prefix (C2SP tlog-tiles).
func path(prefix string, n int64, w int) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if w < 1<<height {
		name = fmt.Sprintf("%s.p/%d", name, w)
	}
	return filepath.Join(prefix, name)
}

type files struct{ dir string }

func (f files) Height() int { return height }

func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		prefix := filepath.Join(f.dir, "tile", strconv.Itoa(t.L))
		data, err := os.ReadFile(path(prefix, t.N, t.W))
		if err != nil && t.W < 1<<height {
			if data, err = os.ReadFile(path(prefix, t.N, 1<<height)); err == nil {
				data = data[:t.W*tlog.HashSize]
			}
		}
		if err != nil {
			return nil, err
		}
		if len(data) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %s has %d bytes", t.Path(), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

func (f files) SaveTiles([]tlog.Tile, [][]byte) {}

func (f files) bundle(n int64, w int) ([][]byte, error) {
	prefix := filepath.Join(f.dir, "tile", "entries")
	data, err := os.ReadFile(path(prefix, n, w))
	if err != nil {
		if data, err = os.ReadFile(path(prefix, n, 1<<height)); err != nil {
			return nil, err
		}
	}
	var entries [][]byte
	for len(entries) < w {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle %d ends inside an entry", n)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	return entries, nil
}

// minimum gives the lowest index that is published, 0 where no file says so.
func (f files) minimum() (int64, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, "minimum-index"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(string(data), "\n"), 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10)+"\n" != string(data) || n%(1<<height) != 0 {
		return 0, fmt.Errorf("%q is no minimum index", data)
	}
	return n, nil
}

// leaves gives the leaf hashes of a bundle: out of the hash tile below the minimum index, else of its entries.
func (f files) leaves(first, minimum int64, width int) ([]tlog.Hash, error) {
	var all []tlog.Hash
	if first < minimum {
		data, err := f.ReadTiles([]tlog.Tile{{H: height, L: 0, N: first >> height, W: width}})
		if err != nil {
			return nil, err
		}
		for i := 0; i < width; i++ {
			var hash tlog.Hash
			copy(hash[:], data[0][i*tlog.HashSize:])
			all = append(all, hash)
		}
		return all, nil
	}
	entries, err := f.bundle(first>>height, width)
	for _, entry := range entries {
		all = append(all, tlog.RecordHash(entry))
	}
	return all, err
}

// memory holds stored hashes in tlog's order.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, i := range indexes {
		if i >= int64(len(m)) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		all = append(all, m[i])
	}
	return all, nil
}

// tiles lists the tiles of a tree, each in its widest form.
func tiles(size int64) []tlog.Tile {
	var all []tlog.Tile
	for level := 0; size > 0; level++ {
		for n := int64(0); n < size>>height; n++ {
			all = append(all, tlog.Tile{H: height, L: level, N: n, W: 1 << height})
		}
		if w := int(size % (1 << height)); w > 0 {
			all = append(all, tlog.Tile{H: height, L: level, N: size >> height, W: w})
		}
		size >>= height
	}
	return all
}

// everyEntry rebuilds the tree from the bundles and compares its root with the signed one and its tiles with the files. It does not
// lean on TileHashReader alone: x/mod 0.7 leaves tiles unauthenticated where several peaks of the tree lie in one tile.
func everyEntry(f files, h head, minimum int64) error {
	var tree memory
	for first := int64(0); first < h.size; first += 1 << height {
		width := 1 << height
		if h.size-first < int64(width) {
			width = int(h.size - first)
		}
		leaves, err := f.leaves(first, minimum, width)
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			hashes, err := tlog.StoredHashesForRecordHash(first+int64(i), leaf, tree)
			if err != nil {
				return err
			}
			tree = append(tree, hashes...)
		}
	}
	root, err := tlog.TreeHash(h.size, tree)
	if err != nil {
		return err
	}
	if root != h.root {
		return errors.New("the entries are not those that were signed")
	}
	for _, tile := range tiles(h.size) {
		want, err := tlog.ReadTileData(tile, tree)
		if err != nil {
			return err
		}
		found, err := f.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		if !bytes.Equal(found[0], want) {
			return fmt.Errorf("%s is not the tile of the entries", tile.Path())
		}
	}
	return nil
}

func consistent(f files, h head, old string) error {
	size, root, found := strings.Cut(old, ":")
	n, err := strconv.ParseInt(size, 10, 64)
	raw, err2 := base64.StdEncoding.DecodeString(root)
	if !found || err != nil || err2 != nil || len(raw) != tlog.HashSize {
		return errors.New("-old is no SIZE:BASE64ROOT")
	}
	var hash tlog.Hash
	copy(hash[:], raw)
	proof, err := tlog.ProveTree(h.size, n, tlog.TileHashReader(tlog.Tree{N: h.size, Hash: h.root}, f))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, h.size, h.root, n, hash)
}

func checkProof(file, entryFile string, verifier note.Verifier) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(entryFile)
	if err != nil {
		return err
	}
	top, signed, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(top), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("this is no tlog-proof")
	}
	index, err := strconv.ParseInt(lines[1][len("index "):], 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize {
			return errors.New("a proof line is no hash")
		}
		var hash tlog.Hash
		copy(hash[:], raw)
		proof = append(proof, hash)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return err
	}
	h, err := parseHead(opened.Text)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, h.size, h.root, index, tlog.RecordHash(entry))
}

func run() (string, error) {
	dir := flag.String("dir", "", "HOME/ledger")
	vkey := flag.String("vkey", "", "verifier key of the log")
	old := flag.String("old", "", "SIZE:BASE64ROOT of an older head")
	proof := flag.String("proof", "", "a .tlog-proof file")
	entry := flag.String("entry", "", "the bytes of the entry that it proves")
	flag.Parse()
	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(*dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	h, err := parseHead(opened.Text)
	if err != nil {
		return "", err
	}
	if h.origin != verifier.Name() {
		return "", fmt.Errorf("the checkpoint is of %q", h.origin)
	}
	f := files{*dir}
	minimum, err := f.minimum()
	if err != nil {
		return "", err
	}
	if minimum > h.size {
		return "", errors.New("the minimum index lies beyond the checkpoint")
	}
	if err := everyEntry(f, h, minimum); err != nil {
		return "", err
	}
	if *old != "" {
		if err := consistent(f, h, *old); err != nil {
			return "", err
		}
	}
	if *proof != "" {
		if err := checkProof(*proof, *entry, verifier); err != nil {
			return "", err
		}
	}
	if minimum > 0 {
		return fmt.Sprintf("%s: %d entries authenticated, %d before them pruned", h.origin, h.size-minimum, minimum), nil
	}
	return fmt.Sprintf("%s: %d entries authenticated", h.origin, h.size), nil
}

func main() {
	text, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(text)
}
