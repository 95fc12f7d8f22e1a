#include "speaker/bfd/session.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace steelyard::bfd {
namespace {

// One session against packets written by hand. Time passes only where a test says so.
class SessionTest : public testing::Test {
protected:
    static constexpr std::uint32_t kOurs = 77;
    static constexpr std::uint32_t kTheirs = 88;

    static ControlPacket from_peer(State state) {
        ControlPacket out;
        out.state = state;
        out.my_discriminator = kTheirs;
        out.your_discriminator = kOurs;
        out.desired_min_tx = 100000;
        out.required_min_rx = 100000;
        return out;
    }

    static Profile fast() {
        Profile out;
        out.receive = out.transmit = 100ms;
        return out;
    }

    void open(const Profile& profile, bool can_echo = true) {
        session_.emplace(SessionId{kOurs}, profile, can_echo, 1, now_);
    }
    void hear(const ControlPacket& packet) { session_->on_packet(packet, now_, out_); }
    void hear(State state) { hear(from_peer(state)); }
    void hear_final() {
        ControlPacket packet = from_peer(State::Up);
        packet.final = true;
        hear(packet);
    }
    // Up, and the Poll Sequence for the faster interval done.
    void bring_up(const Profile& profile) {
        open(profile);
        hear(State::Down);
        hear(State::Up);
        hear_final();
        pass(profile.transmit);  // the pause after the Poll Sequence
        hear(State::Up);
        out_.clear();
    }
    // Serves every deadline until then, the peer being silent.
    void pass(Duration duration) {
        const Instant end = now_ + duration;
        while (session_->next_deadline() <= end) {
            now_ = std::max(now_, session_->next_deadline());
            session_->on_deadline(now_, out_);
        }
        now_ = end;
    }
    std::vector<ControlPacket> take_sent() {
        std::vector<ControlPacket> out;
        for (const Action& action : out_) {
            if (const auto* packet = std::get_if<SendControl>(&action)) {
                out.push_back(std::get<ControlPacket>(decode(packet->bytes)));
            }
        }
        out_.clear();
        return out;
    }
    std::optional<Echo> take_echo() {
        std::optional<Echo> out;
        for (const Action& action : out_) {
            if (const auto* packet = std::get_if<SendEcho>(&action)) {
                out = decode_echo(packet->bytes);
            }
        }
        out_.clear();
        return out;
    }
    [[nodiscard]] State state() const { return session_->visible_state(); }

    Instant now_{1000s};
    Actions out_;
    std::optional<Session> session_;
};

TEST_F(SessionTest, ItSpeaksAtOnceAndThenOnceASecond) {
    open(fast());
    pass(0s);
    const auto first = take_sent();
    pass(10s);
    const auto later = take_sent();

    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].state, State::Down);
    EXPECT_EQ(first[0].desired_min_tx, 1000000U);
    EXPECT_EQ(first[0].required_min_rx, 100000U);
    EXPECT_EQ(first[0].your_discriminator, 0U);
    EXPECT_GE(later.size(), 10U);
    EXPECT_LE(later.size(), 13U);  // never below 75 % of a second
}

struct Step {
    State before;
    State received;
    State after;
};

// RFC 5880 6.2: every state with every state received.
TEST_F(SessionTest, TheStateMachineIsTheOneOfTheRfc) {
    const std::vector<Step> table = {
        {State::Down, State::AdminDown, State::Down},
        {State::Down, State::Down, State::Init},
        {State::Down, State::Init, State::Up},
        {State::Down, State::Up, State::Down},
        {State::Init, State::AdminDown, State::Down},
        {State::Init, State::Down, State::Init},
        {State::Init, State::Init, State::Up},
        {State::Init, State::Up, State::Up},
        {State::Up, State::AdminDown, State::Down},
        {State::Up, State::Down, State::Down},
        {State::Up, State::Init, State::Up},
        {State::Up, State::Up, State::Up},
    };
    for (const Step& step : table) {
        open(fast());
        if (step.before != State::Down) {
            hear(State::Down);
        }
        if (step.before == State::Up) {
            hear(State::Init);
        }
        take_sent();

        ControlPacket packet = from_peer(step.received);
        packet.poll = true;  // so that the answer shows our state
        hear(packet);

        EXPECT_EQ(take_sent()[0].state, step.after)
            << to_string(step.before) << " + " << to_string(step.received);
    }
}

TEST_F(SessionTest, NothingMovesASessionHeldDown) {
    open(fast());
    session_->set_admin_down(true, now_, out_);
    EXPECT_EQ(take_sent()[0].diagnostic, Diagnostic::AdministrativelyDown);

    for (const State received : {State::AdminDown, State::Down, State::Init, State::Up}) {
        hear(received);
        EXPECT_EQ(state(), State::AdminDown);
    }

    session_->set_admin_down(false, now_, out_);
    EXPECT_EQ(state(), State::Down);
}

TEST_F(SessionTest, SilenceForTheRemoteMultiplierIsDown) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.multiplier = 7;
    packet.desired_min_tx = 200000;
    hear(packet);

    pass(1399ms);
    EXPECT_EQ(state(), State::Up);
    pass(1ms);

    EXPECT_EQ(state(), State::Down);
    EXPECT_EQ(session_->diagnostic(), Diagnostic::DetectionTimeExpired);
    EXPECT_EQ(session_->status().counters.downs, 1U);
    const auto sent = take_sent();
    EXPECT_EQ(sent.back().state, State::Down);  // said at once, not at the slow pace
    EXPECT_EQ(sent.back().desired_min_tx, 1000000U);
}

TEST_F(SessionTest, TheNextPeerIsNotBoundByTheLast) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.required_min_rx = 0;  // "do not send to me"
    hear(packet);
    pass(5s);
    take_sent();

    pass(2s);

    const auto sent = take_sent();
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent[0].your_discriminator, 0U);
}

TEST_F(SessionTest, ComingUpNegotiatesTheFastIntervalByAPoll) {
    open(fast());
    hear(State::Down);
    take_sent();
    hear(State::Init);

    const auto sent = take_sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].state, State::Up);
    EXPECT_TRUE(sent[0].poll);
    EXPECT_EQ(sent[0].desired_min_tx, 100000U);

    hear_final();
    pass(100ms);
    EXPECT_FALSE(take_sent().back().poll);
}

TEST_F(SessionTest, APollIsAnsweredAtOnceWithFinalAlone) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.poll = true;
    hear(packet);

    const auto sent = take_sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_TRUE(sent[0].final);
    EXPECT_FALSE(sent[0].poll);
}

TEST_F(SessionTest, ASlowerPaceIsSaidButNotUsedBeforeFinal) {
    bring_up(fast());
    Profile slow = fast();
    slow.transmit = 400ms;
    session_->set_profile(slow, now_, out_);

    const auto sent = take_sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_TRUE(sent[0].poll);
    EXPECT_EQ(sent[0].desired_min_tx, 400000U);
    EXPECT_EQ(session_->status().transmit_interval, 100ms);

    hear_final();
    EXPECT_EQ(session_->status().transmit_interval, 400ms);
}

TEST_F(SessionTest, AShorterDetectionTimeWaitsForFinal) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.desired_min_tx = 10000;
    hear(packet);
    Profile faster = fast();
    faster.receive = 20ms;

    session_->set_profile(faster, now_, out_);
    EXPECT_EQ(session_->status().detection_time, 300ms);

    packet.final = true;
    hear(packet);
    EXPECT_EQ(session_->status().detection_time, 60ms);
}

TEST_F(SessionTest, ALongerDetectionTimeIsUsedAtOnce) {
    bring_up(fast());
    Profile slower = fast();
    slower.receive = 500ms;

    session_->set_profile(slower, now_, out_);

    EXPECT_EQ(session_->status().detection_time, 1500ms);
}

TEST_F(SessionTest, AChangeDuringAPollWaitsForItsEnd) {
    bring_up(fast());
    Profile one = fast();
    one.transmit = 400ms;
    Profile two = fast();
    two.transmit = 800ms;
    session_->set_profile(one, now_, out_);
    session_->set_profile(two, now_, out_);
    EXPECT_EQ(take_sent().back().desired_min_tx, 400000U);

    hear_final();
    EXPECT_EQ(session_->status().transmit_interval, 400ms);
    hear_final();  // a second answer to the first question
    EXPECT_EQ(session_->status().transmit_interval, 400ms);
    take_sent();
    pass(290ms);
    hear(State::Up);
    pass(200ms);
    const auto sent = take_sent();
    ASSERT_GE(sent.size(), 2U);
    EXPECT_FALSE(sent[0].poll);
    EXPECT_TRUE(sent[1].poll);
    EXPECT_EQ(sent[1].desired_min_tx, 800000U);
    hear_final();

    EXPECT_EQ(session_->status().transmit_interval, 800ms);
    EXPECT_EQ(session_->status().counters.downs, 0U);
}

TEST_F(SessionTest, AFasterPeerIsHonouredAtOnce) {
    Profile profile = fast();
    profile.transmit = 10ms;
    bring_up(profile);
    ControlPacket packet = from_peer(State::Up);
    packet.desired_min_tx = 10000000;
    packet.required_min_rx = 10000000;
    hear(packet);
    pass(8s);
    hear(packet);
    take_sent();

    packet.required_min_rx = 20000;
    hear(packet);
    pass(20ms);

    EXPECT_FALSE(take_sent().empty());
}

TEST_F(SessionTest, PacketsKeepTheirPaceWithJitter) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.multiplier = 255;
    Instant last = now_;
    for (int i = 0; i < 200; ++i) {
        hear(packet);
        now_ = session_->next_deadline();
        session_->on_deadline(now_, out_);
        if (i > 0) {
            EXPECT_GE(now_ - last, 75ms);
            EXPECT_LE(now_ - last, 100ms);
        }
        last = now_;
    }
}

TEST_F(SessionTest, APassiveSessionWaitsToBeSpokenTo) {
    Profile profile = fast();
    profile.passive = true;
    open(profile);
    pass(60s);
    EXPECT_TRUE(take_sent().empty());

    hear(State::Down);

    EXPECT_EQ(take_sent().at(0).state, State::Init);
}

TEST_F(SessionTest, APeerInDemandModeHearsNothingPeriodic) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.demand = true;
    packet.multiplier = 255;
    hear(packet);
    take_sent();

    pass(5s);
    EXPECT_TRUE(take_sent().empty());
    packet.poll = true;
    hear(packet);

    EXPECT_TRUE(take_sent().at(0).final);
}

// Nothing periodic goes out, so nothing must wait for a periodic packet.
TEST_F(SessionTest, AnIntervalCanChangeAgainAndAgainInDemandMode) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.demand = true;
    packet.multiplier = 255;
    for (const Duration transmit : {200ms, 400ms, 300ms}) {
        hear(packet);
        Profile next = fast();
        next.transmit = transmit;
        session_->set_profile(next, now_, out_);
        pass(2s);
        packet.final = true;
        hear(packet);
        packet.final = false;
        EXPECT_EQ(session_->status().transmit_interval, transmit);
        pass(1s);
        take_sent();
        pass(5s);
        EXPECT_TRUE(take_sent().empty());
    }
}

TEST_F(SessionTest, AnIntervalCanChangeTwiceWhileThePeerWantsSilence) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::Up);
    packet.required_min_rx = 0;
    packet.multiplier = 255;
    hear(packet);
    for (const Duration receive : {200ms, 50ms}) {
        Profile next = fast();
        next.receive = receive;
        take_sent();
        session_->set_profile(next, now_, out_);
        const auto sent = take_sent();
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_TRUE(sent[0].poll);
        packet.final = true;
        hear(packet);
    }
    pass(5s);
    EXPECT_TRUE(take_sent().empty());
}

TEST_F(SessionTest, APeerThatGoesAdministrativelyDownIsNoFailure) {
    bring_up(fast());
    ControlPacket packet = from_peer(State::AdminDown);
    packet.diagnostic = Diagnostic::AdministrativelyDown;

    hear(packet);
    EXPECT_EQ(state(), State::AdminDown);
    pass(60s);

    EXPECT_EQ(state(), State::AdminDown);
    EXPECT_EQ(session_->status().counters.downs, 0U);
    hear(State::Down);
    EXPECT_EQ(state(), State::Init);
}

TEST_F(SessionTest, AnyValuesInAPacketAreSurvived) {
    Rng rng(5);
    open(fast());
    for (int i = 0; i < 20000; ++i) {
        ControlPacket packet;
        packet.state = static_cast<State>(rng.below(4));
        packet.poll = rng.below(2) == 0;
        packet.final = rng.below(2) == 0;
        packet.demand = rng.below(4) == 0;
        packet.multiplier = static_cast<std::uint8_t>(1 + rng.below(255));
        packet.my_discriminator = static_cast<std::uint32_t>(rng.next());
        const std::uint32_t edges[] = {0, 1, 1000, 1000000, 0xffffffff};
        packet.desired_min_tx = edges[rng.below(5)];
        packet.required_min_rx = edges[rng.below(5)];
        packet.required_min_echo_rx = edges[rng.below(5)];
        hear(packet);
        if (rng.below(3) == 0) {
            now_ = std::max(now_, std::min(session_->next_deadline(), now_ + 1h));
            for (int again = 0; session_->next_deadline() <= now_; ++again) {
                ASSERT_LT(again, 3);
                session_->on_deadline(now_, out_);
            }
        }
        out_.clear();
    }
}

class EchoSessionTest : public SessionTest {
protected:
    static ControlPacket looping(State state) {
        ControlPacket out = from_peer(state);
        out.required_min_echo_rx = 50000;
        out.desired_min_tx = 1000000;
        return out;
    }
    static Profile echoing() {
        Profile out = fast();
        out.echo = true;
        return out;
    }
    // The next echo goes out and, unless the path is cut, comes back.
    std::optional<Echo> pass_echo(bool cut = false) {
        out_.clear();
        for (int i = 0; i < 50; ++i) {
            now_ = std::max(now_, session_->next_deadline());
            session_->on_deadline(now_, out_);
            if (const auto echo = take_echo()) {
                if (!cut) {
                    EXPECT_TRUE(session_->on_echo(*echo, now_, out_));
                }
                return echo;
            }
            ControlPacket packet = looping(State::Up);
            packet.final = true;
            hear(packet);
        }
        return std::nullopt;
    }
    void bring_up_echoing() {
        open(echoing());
        hear(looping(State::Down));
        hear(looping(State::Up));
        pass_echo();
        pass_echo();
    }
};

TEST_F(EchoSessionTest, EchoesThatComeBackSlowTheControlPackets) {
    bring_up_echoing();

    EXPECT_TRUE(session_->status().echo);
    ControlPacket packet = looping(State::Up);
    packet.final = true;
    hear(packet);
    pass_echo();
    EXPECT_EQ(session_->status().receive_interval, 1s);
}

TEST_F(EchoSessionTest, APeerThatOnlyPromisesToLoopStaysUp) {
    open(echoing());
    hear(looping(State::Down));
    hear(looping(State::Up));

    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(pass_echo(true).has_value());
    }

    EXPECT_EQ(state(), State::Up);
    EXPECT_FALSE(session_->status().echo);
}

TEST_F(EchoSessionTest, AsManyEchoesLostAsTheMultiplierSaysIsDown) {
    bring_up_echoing();
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(pass_echo(true).has_value());
        EXPECT_EQ(state(), State::Up);
    }

    pass(50ms);

    EXPECT_EQ(state(), State::Down);
    EXPECT_EQ(session_->diagnostic(), Diagnostic::EchoFailed);
}

TEST_F(EchoSessionTest, AThreadThatSleptLosesNoEcho) {
    bring_up_echoing();
    now_ += 2s;

    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(pass_echo().has_value());
    }

    EXPECT_EQ(state(), State::Up);
}

TEST_F(EchoSessionTest, AForeignOrRepeatedEchoIsRefused) {
    bring_up_echoing();
    Echo echo = *pass_echo(true);

    Echo forged = echo;
    forged.secret ^= 1;
    EXPECT_FALSE(session_->on_echo(forged, now_, out_));
    EXPECT_TRUE(session_->on_echo(echo, now_, out_));
    EXPECT_FALSE(session_->on_echo(echo, now_, out_));
    echo.sequence += 1;
    EXPECT_FALSE(session_->on_echo(echo, now_, out_));
}

TEST_F(EchoSessionTest, AWithdrawnPromiseEndsTheEcho) {
    bring_up_echoing();

    hear(State::Up);  // Required Min Echo RX 0

    EXPECT_FALSE(session_->status().echo);
    EXPECT_EQ(state(), State::Up);
}

TEST_F(EchoSessionTest, WeAskForEchoesOnlyWhenWeLoopThem) {
    open(echoing());
    pass(0s);
    EXPECT_EQ(take_sent()[0].required_min_echo_rx, 50000U);
    session_->set_looping(false);
    pass(1s);
    EXPECT_EQ(take_sent()[0].required_min_echo_rx, 0U);
    open(fast());
    pass(0s);
    EXPECT_EQ(take_sent()[0].required_min_echo_rx, 0U);
    open(echoing(), false);
    pass(0s);
    EXPECT_EQ(take_sent()[0].required_min_echo_rx, 0U);
}

}  // namespace
}  // namespace steelyard::bfd
