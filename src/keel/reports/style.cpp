#include "keel/reports/style.h"

namespace keel {

std::string_view report_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #fcfbf8; --ink: #20242a; --soft: #5d6570; --rule: #dcd8cf; --panel: #f4f2ec; --grid: #e7e4dc;
  --c0: #1c65a8; --c1: #b8560f; --c2: #6f757d; --c3: #23794d; --c4: #7a4aa8;
  --good: #23794d; --bad: #ab2f2a; --open: #8a6500;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e3e5e8; --soft: #9ba4af; --rule: #31373f; --panel: #1b1f25; --grid: #262b32;
    --c0: #6fb3f2; --c1: #f0a15c; --c2: #a4acb6; --c3: #62c794; --c4: #c59cf0;
    --good: #62c794; --bad: #f08a80; --open: #e3bd5b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, "DejaVu Serif", serif;
}
main { max-width: 74rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
p, li { max-width: 44rem; }
p { margin: 0.5rem 0; }
h1, h2, h3 { line-height: 1.25; font-weight: 600; text-wrap: balance; }
h2 { font-size: 1.4rem; margin: 3rem 0 0.4rem; padding-top: 0.8rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 0 0 0.3rem; }
.sans, table, figcaption, svg text, .kicker, .score, summary, h3, .arm {
  font-family: system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
}
.kicker { color: var(--soft); font-size: 0.85rem; margin: 0; }
.verdict { font-size: 1.65rem; max-width: 54rem; margin: 0.6rem 0 0.9rem; padding-left: 1rem;
  border-left: 5px solid var(--open); text-wrap: pretty; }
.verdict.improved { border-color: var(--good); }
.verdict.did_not_improve { border-color: var(--bad); }
.warning { color: var(--bad); font-weight: 600; }
.soft, figcaption, .absent { color: var(--soft); }
.absent { font-style: italic; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr));
  gap: 1.6rem 2rem;
  margin: 1rem 0; align-items: start; }
figure { margin: 0; min-width: 0; max-width: 34rem; break-inside: avoid; }
figcaption { font-size: 0.82rem; line-height: 1.45; margin-top: 0.2rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .tick, svg .axis, svg .note { fill: var(--soft); }
svg .note { font-size: 10px; }
svg .row { font-weight: 600; font-size: 11.5px; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--grid); }
svg .frame { stroke: var(--soft); stroke-width: 0.8; }
svg .level { stroke: var(--soft); stroke-dasharray: 5 4; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
svg .band { stroke: none; opacity: 0.17; }
svg .bar { fill: var(--grid); }
svg .line.s0 { stroke: var(--c0); } svg .dot.s0, svg .band.s0 { fill: var(--c0); }
svg .line.s1 { stroke: var(--c1); stroke-dasharray: 7 3; } svg .dot.s1, svg .band.s1 { fill: var(--c1); }
svg .line.s2 { stroke: var(--c2); stroke-dasharray: 2 4; } svg .dot.s2, svg .band.s2 { fill: var(--c2); }
svg .line.s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; } svg .dot.s3, svg .band.s3 { fill: var(--c3); }
svg .line.s4 { stroke: var(--c4); stroke-dasharray: 4 2; } svg .dot.s4, svg .band.s4 { fill: var(--c4); }
svg .line.solid { stroke-dasharray: none; stroke-width: 2.4; }
.wide { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.85rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.35rem 0.9rem 0.35rem 0; vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
td:first-child { white-space: normal; min-width: 5.5rem; }
th:last-child, td:last-child { padding-right: 0; }
th { color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--rule); }
td { border-bottom: 1px solid var(--grid); }
.hash { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.75rem; }
.sample { margin: 1.2rem 0; padding: 0.9rem 1.1rem; background: var(--panel); border-radius: 6px;
  break-inside: avoid; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr));
  gap: 0.8rem 1.6rem;
  margin-top: 0.7rem; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; margin: 0.1rem 0; }
.arm { font-weight: 600; font-size: 0.8rem; color: var(--soft); }
.score { font-size: 0.8rem; color: var(--soft); margin: 0.2rem 0 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere;
  font: 0.78rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
summary { cursor: pointer; color: var(--soft); font-size: 0.85rem; margin-top: 0.6rem; }
@media (max-width: 40rem) {
  main { padding: 1.4rem 1rem 3rem; }
  .verdict { font-size: 1.3rem; }
  table { font-size: 0.8rem; }
  th, td { padding-right: 0.6rem; }
  h2 { font-size: 1.2rem; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --panel: #fff;
  --grid: #ddd;
    --c0: #1c65a8; --c1: #b8560f; --c2: #6f757d; --c3: #23794d; --c4: #7a4aa8;
    --good: #23794d; --bad: #ab2f2a; --open: #8a6500; }
  body { font-size: 10pt; }
  main { padding: 0; max-width: none; }
  .grid { grid-template-columns: 1fr 1fr; }
  .sample { border: 1px solid var(--rule); }
  .wide { overflow: visible; }
  h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
)css";
}

}  // namespace keel
