// memberlist-node joins a gossip ring with hashicorp/memberlist and prints what it sees as JSON
// lines. Orders come as JSON lines on standard input: {"meta": "text"}, {"keys": ["hex", ...]} (the
// first one seals) and {"user": "text"}, which goes to every other member over UDP and TCP. SIGTERM makes it leave; anything harder makes it a dead node. It configures memberlist the
// way MetalLB's speaker does, so a test against it is a test against a MetalLB speaker.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

type line struct {
	Event   string `json:"event"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	Meta    string `json:"meta,omitempty"`
	Why     string `json:"why,omitempty"`
}

var printing sync.Mutex

func say(l line) {
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(l)
}

type events struct{}

func report(event string, n *memberlist.Node) {
	say(line{Event: event, Name: n.Name, Address: n.Address(), Meta: string(n.Meta)})
}
func (events) NotifyJoin(n *memberlist.Node)   { report("joined", n) }
func (events) NotifyUpdate(n *memberlist.Node) { report("updated", n) }

// memberlist does not say whether a node left or failed.
func (events) NotifyLeave(n *memberlist.Node) { report("gone", n) }

type meta struct {
	guard sync.Mutex
	text  string
}

func (m *meta) NodeMeta(int) []byte {
	m.guard.Lock()
	defer m.guard.Unlock()
	return []byte(m.text)
}
func (m *meta) set(text string) {
	m.guard.Lock()
	defer m.guard.Unlock()
	m.text = text
}
func (*meta) NotifyMsg([]byte)                {}
func (*meta) GetBroadcasts(int, int) [][]byte { return nil }
func (*meta) LocalState(bool) []byte          { return []byte("state of no interest") }
func (*meta) MergeRemoteState([]byte, bool)   {}

type order struct {
	Meta *string  `json:"meta"`
	Keys []string `json:"keys"`
	User *string  `json:"user"`
}

// Makes the ring hold these keys and no others, the first of them sealing.
func setKeys(ring *memberlist.Keyring, texts []string) error {
	wanted := make([][]byte, 0, len(texts))
	for _, text := range texts {
		key, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		if err := ring.AddKey(key); err != nil {
			return err
		}
		wanted = append(wanted, key)
	}
	if err := ring.UseKey(wanted[0]); err != nil {
		return err
	}
	for _, key := range ring.GetKeys() {
		keep := false
		for _, other := range wanted {
			keep = keep || bytes.Equal(key, other)
		}
		if !keep {
			if err := ring.RemoveKey(key); err != nil {
				return err
			}
		}
	}
	return nil
}

func obey(o order, list *memberlist.Memberlist, config *memberlist.Config, ours *meta) error {
	if o.Meta != nil {
		ours.set(*o.Meta)
		return list.UpdateNode(time.Second)
	}
	if len(o.Keys) > 0 {
		return setKeys(config.Keyring, o.Keys)
	}
	if o.User != nil {
		for _, node := range list.Members() {
			if node.Name == config.Name {
				continue
			}
			if err := list.SendBestEffort(node, []byte(*o.User)); err != nil {
				return err
			}
			if err := list.SendReliable(node, []byte(*o.User)); err != nil {
				return err
			}
		}
	}
	return nil
}

func takeOrders(list *memberlist.Memberlist, config *memberlist.Config, ours *meta) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		err := json.Unmarshal(lines.Bytes(), &o)
		if err == nil {
			err = obey(o, list, config, ours)
		}
		why := ""
		if err != nil {
			why = err.Error()
		}
		say(line{Event: "done", Why: why})
	}
}

// The key as MetalLB makes it: Sum appends the hash of nothing to the text.
func key(secret string) []byte {
	return sha256.New().Sum([]byte(secret))[:32]
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	name := flag.String("name", "go", "")
	bind := flag.String("bind", "127.0.0.1", "")
	port := flag.Int("port", 0, "0 picks one")
	secret := flag.String("secret", "", "text, made a key as MetalLB does")
	label := flag.String("label", "", "")
	nodeMeta := flag.String("meta", "", "")
	join := flag.String("join", "", "address:port of members, separated by commas")
	compress := flag.Bool("compress", true, "")
	fast := flag.Bool("fast", false, "Steelyard's fast timing instead of the LAN profile")
	protocol := flag.Int("protocol", 0, "protocol version; 0 is memberlist's own choice")
	delegate := flag.String("delegate", "", "delegate version: least,current,most")
	verbose := flag.Bool("verbose", false, "memberlist's log on stderr")
	flag.Parse()

	config := memberlist.DefaultLANConfig()
	config.Name = *name
	config.BindAddr = *bind
	config.BindPort = *port
	config.AdvertiseAddr = *bind
	config.AdvertisePort = *port
	config.Label = *label
	config.EnableCompression = *compress
	config.Events = events{}
	ours := &meta{text: *nodeMeta}
	config.Delegate = ours
	if *protocol != 0 {
		config.ProtocolVersion = uint8(*protocol)
	}
	if *delegate != "" {
		var least, current, most uint8
		if _, err := fmt.Sscanf(*delegate, "%d,%d,%d", &least, &current, &most); err != nil {
			fail(err)
		}
		config.DelegateProtocolMin = least
		config.DelegateProtocolVersion = current
		config.DelegateProtocolMax = most
	}
	config.LogOutput = io.Discard
	if *verbose {
		config.LogOutput = os.Stderr
	}
	if *fast {
		config.ProbeInterval = 200 * time.Millisecond
		config.ProbeTimeout = 80 * time.Millisecond
		config.GossipInterval = 50 * time.Millisecond
		config.SuspicionMaxTimeoutMult = 3
	}
	if *secret != "" {
		config.SecretKey = key(*secret)
	}
	list, err := memberlist.Create(config)
	if err != nil {
		fail(err)
	}
	local := list.LocalNode()
	address := net.JoinHostPort(local.Addr.String(), strconv.Itoa(int(local.Port)))
	say(line{Event: "listening", Name: *name, Address: address})
	if *join != "" {
		if _, err := list.Join(strings.Split(*join, ",")); err != nil {
			say(line{Event: "refused", Why: err.Error()})
		}
	}

	go takeOrders(list, config, ours)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	if err := list.Leave(time.Second); err != nil {
		say(line{Event: "refused", Why: err.Error()})
	}
	_ = list.Shutdown()
	say(line{Event: "exited"})
}
