#include "emulator/front_doors/content_sniffing.h"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <string_view>
#include <utility>

using emulator::front_doors::kSniffedBytes;
using emulator::front_doors::sniffed_content_type;
using std::string_view_literals::operator""sv;

namespace {

constexpr auto kText = "text/plain; charset=utf-8"sv;
constexpr auto kHtml = "text/html; charset=utf-8"sv;
constexpr auto kBinary = "application/octet-stream"sv;

}  // namespace

TEST_CASE("content is labelled by its first bytes, as Go's net/http does", "[front_doors]") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {""sv, kText},
      {"{\"statusCode\":200}"sv, kText},
      {"\xC3\xA9t\xC3\xA9"sv, kText},
      {"\x1B[0m escape is text"sv, kText},
      {"\x01\x02\x03"sv, kBinary},
      {"text with a NUL\x00"sv, kBinary},
      {"\x0B"sv, kBinary},
      {"\x1F"sv, kBinary},
      {"<!DOCTYPE HTML>"sv, kHtml},
      {"<!doctype html>"sv, kHtml},
      {" \t\r\n\f<HtMl><body>"sv, kHtml},
      {"<html "sv, kHtml},
      {"<html"sv, kText},
      {"<htmlx>"sv, kText},
      {"<head>"sv, kHtml},
      {"<script >"sv, kHtml},
      {"<iframe>"sv, kHtml},
      {"<h1>"sv, kHtml},
      {"<div>"sv, kHtml},
      {"<font >"sv, kHtml},
      {"<table>"sv, kHtml},
      {"<a href"sv, kHtml},
      {"<style>"sv, kHtml},
      {"<title>"sv, kHtml},
      {"<b>"sv, kHtml},
      {"<body>"sv, kHtml},
      {"<br>"sv, kHtml},
      {"<p>"sv, kHtml},
      {"<!-- "sv, kHtml},
      {"<!--x"sv, kText},
      {"<h2>"sv, kText},
      {"\n<?xml version"sv, "text/xml; charset=utf-8"sv},
      {"<?XML"sv, kText},
      {"%PDF-1.7"sv, "application/pdf"sv},
      {" %PDF-"sv, kText},
      {"%!PS-Adobe-3.0"sv, "application/postscript"sv},
      {"\xFE\xFF\x00\x41"sv, "text/plain; charset=utf-16be"sv},
      {"\xFF\xFE\x41\x00"sv, "text/plain; charset=utf-16le"sv},
      {"\xEF\xBB\xBFx"sv, kText},
      {"\x00\x00\x01\x00"sv, "image/x-icon"sv},
      {"\x00\x00\x02\x00"sv, "image/x-icon"sv},
      {"BM\x36"sv, "image/bmp"sv},
      {"GIF87a"sv, "image/gif"sv},
      {"GIF89a..."sv, "image/gif"sv},
      {"GIF88a"sv, kText},
      {"RIFF\x01\x02\x03\x04WEBPVP8 "sv, "image/webp"sv},
      {"\x89PNG\r\n\x1A\n\x00"sv, "image/png"sv},
      {"\x89PNG\n"sv, kText},
      {"\xFF\xD8\xFF\xE0"sv, "image/jpeg"sv},
      {"FORM\x00\x00\x00\x00"
       "AIFF"sv,
       "audio/aiff"sv},
      {"ID3\x04"sv, "audio/mpeg"sv},
      {"OggS\x00\x02"sv, "application/ogg"sv},
      {"MThd\x00\x00\x00\x06\x00"sv, "audio/midi"sv},
      {"RIFF\x00\x00\x00\x00"
       "AVI LIST"sv,
       "video/avi"sv},
      {"RIFF\x00\x00\x00\x00WAVEfmt "sv, "audio/wave"sv},
      {"\x00\x00\x00\x18"
       "ftypmp42\x00\x00\x00\x00mp42isom"sv,
       "video/mp4"sv},
      {"\x00\x00\x00\x18"
       "ftypisom\x00\x00\x00\x00mp41avc1"sv,
       "video/mp4"sv},
      {"\x00\x00\x00\x14"
       "ftypisommp42avc1"sv,
       kBinary},
      {"\x00\x00\x00\x18"
       "ftypisom"sv,
       kBinary},
      {"\x1A\x45\xDF\xA3"sv, "video/webm"sv},
      {"\x00\x01\x00\x00"sv, "font/ttf"sv},
      {"OTTO"sv, "font/otf"sv},
      {"ttcf"sv, "font/collection"sv},
      {"wOFF"sv, "font/woff"sv},
      {"wOF2"sv, "font/woff2"sv},
      {"\x1F\x8B\x08\x00"sv, "application/x-gzip"sv},
      {"PK\x03\x04"sv, "application/zip"sv},
      {"Rar!\x1A\x07\x00"sv, "application/x-rar-compressed"sv},
      {"Rar!\x1A\x07\x01\x00"sv, "application/x-rar-compressed"sv},
      {"\x00"
       "asm"sv,
       "application/wasm"sv},
  };
  for (const auto& [body, type] : rows) {
    CAPTURE(body);
    CHECK(sniffed_content_type(body) == type);
  }
}

TEST_CASE("an embedded font is known by its mark behind 34 bytes", "[front_doors]") {
  CHECK(sniffed_content_type(std::string(34, '\x02') + "LP") == "application/vnd.ms-fontobject");
  CHECK(sniffed_content_type(std::string(33, '\x02') + "LP") == kBinary);
}

TEST_CASE("bytes beyond the sniffed ones do not matter", "[front_doors]") {
  CHECK(sniffed_content_type(std::string(kSniffedBytes, 'a') + '\0') == kText);
  CHECK(sniffed_content_type(std::string(kSniffedBytes - 1, 'a') + '\0') == kBinary);
}
