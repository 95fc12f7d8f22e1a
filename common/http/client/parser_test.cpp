#include "common/http/client/parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::http_client {
namespace {

TEST(ResponseParserTest, ABodyMayBeCutAnywhere) {
    const std::string bytes =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
        "4;x=y\r\nwiki\r\n5\r\npedia\r\n0\r\nTrailer: z\r\n\r\n";
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
        ResponseParser parser(100);
        std::string body;
        for (std::size_t at = 0; at < bytes.size(); at += size) {
            ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(at, size))) << size;
            body += parser.take_body();
        }
        EXPECT_EQ(body, "wikipedia") << size;
        EXPECT_TRUE(parser.done()) << size;
        EXPECT_TRUE(parser.keep_alive()) << size;
        EXPECT_EQ(parser.head().header("x-a"), "b");
    }
}

TEST(ResponseParserTest, ATruncatedAnswerIsAnErrorAtEveryByte) {
    const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwiki";
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ResponseParser parser(100);
        ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(0, size)));
        EXPECT_TRUE(is(parser.feed_end().error(), Errc::Unavailable)) << size;
    }
}

TEST(ResponseParserTest, WithoutALengthTheEndOfTheConnectionEndsTheBody) {
    ResponseParser parser(100);
    ASSERT_TRUE(parser.feed("HTTP/1.0 200 OK\r\n\r\nab"));
    EXPECT_FALSE(parser.done());
    ASSERT_TRUE(parser.feed_end());
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(parser.take_body(), "ab");
    EXPECT_FALSE(parser.keep_alive());
}

TEST(ResponseParserTest, ABodyOverTheLimitIsRefused) {
    for (const char* bytes :
         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\nabcde"}) {
        ResponseParser parser(4);
        const auto result = parser.feed(bytes);
        ASSERT_FALSE(result) << bytes;
        EXPECT_TRUE(is(result.error(), Errc::Invalid)) << bytes;
    }
}

TEST(ResponseParserTest, NonsenseIsRefused) {
    for (const char* bytes :
         {"SSH-2.0-x\r\n\r\n",
          "HTTP/1.1 20 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        ResponseParser parser(100);
        EXPECT_FALSE(parser.feed(bytes)) << bytes;
    }
}

TEST(ResponseParserTest, AHeadWithoutEndIsRefused) {
    ResponseParser parser(100);
    ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\n"));
    Result<> result;
    for (int i = 0; i < 10000 && result; ++i) {
        result = parser.feed("X: 0123456789\r\n");
    }
    EXPECT_FALSE(result);
}

TEST(ResponseParserTest, InterimAnswersAreSkipped) {
    ResponseParser parser(100);
    ASSERT_TRUE(parser.feed(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx"
    ));
    EXPECT_EQ(parser.head().status, 201U);
    EXPECT_TRUE(parser.done());
}

TEST(ResponseParserTest, BytesAfterTheAnswerEndTheConnectionsUse) {
    ResponseParser parser(100);
    ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200"));
    EXPECT_TRUE(parser.done());
    EXPECT_FALSE(parser.keep_alive());
}

}  // namespace
}  // namespace steelyard::http_client
