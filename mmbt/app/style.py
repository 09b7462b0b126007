"""How the page looks, in light and in dark, and the few lines of script that it needs."""

CSS = """
:root { --mm-branch: #2563eb; --mm-mean: #c2560c; --mm-moment: rgba(37, 99, 235, .17);
  --mm-good: #047857; --mm-soft: #526071; --mm-bad: #b91c1c; --mm-bad-back: #fef2f2; }
.dark { --mm-branch: #7ab0ff; --mm-mean: #fdba74; --mm-moment: rgba(122, 176, 255, .24);
  --mm-good: #6ee7b7; --mm-soft: #aab4c2; --mm-bad: #fca5a5; --mm-bad-back: #3f1d1d; }
.gradio-container { width: 100% !important; max-width: 1180px !important;
  margin: 0 auto !important; }
.gradio-container > main { width: 100%; }
#mm-said button[aria-label=Clear] { display: none; }
footer { display: none !important; }
.mm-go { align-self: flex-end; height: 46px; }
.mm-head h1 { font-size: 1.35rem; margin: 0; color: var(--body-text-color); }
.mm-head p { margin: .15rem 0 0; font-size: .88rem; color: var(--mm-soft);
  overflow-wrap: anywhere; }
.mm-error { color: var(--mm-bad); background: var(--mm-bad-back); border-left: 3px solid;
  padding: .5rem .75rem; margin: .4rem 0; border-radius: 4px; overflow-wrap: anywhere; }
.mm-note, .mm-why, .mm-facts, .mm-times, .mm-legend {
  color: var(--mm-soft); font-size: .86rem; margin: .3rem 0; }
.mm-hits, .mm-columns { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); }
.mm-columns { grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); }
.mm-column { display: grid; gap: 14px; align-content: start; min-width: 0; }
.mm-column h2 { font-size: 1rem; margin: .3rem 0 0; padding-bottom: .3rem;
  border-bottom: 3px solid var(--mm-branch); color: var(--body-text-color); }
.mm-of-mean h2 { border-color: var(--mm-mean); }
.mm-hit { background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: 10px; padding: 10px; min-width: 0; }
.mm-hit h3 { font-size: .95rem; margin: .5rem 0 .1rem; overflow-wrap: anywhere;
  color: var(--body-text-color); }
.mm-rank { color: var(--mm-soft); font-weight: 400; margin-right: .15rem; }
.mm-facts { display: flex; justify-content: space-between; gap: 1rem;
  font-variant-numeric: tabular-nums; }
.mm-both { font-size: .86rem; margin: .3rem 0; font-variant-numeric: tabular-nums; }
.mm-facts b { color: var(--body-text-color); }
.mm-video { width: 100%; aspect-ratio: 16 / 9; background: #000; border-radius: 6px;
  display: block; object-fit: contain; }
.mm-gone { color: #ddd; display: grid; place-items: center; padding: 1rem; font-size: .85rem;
  overflow-wrap: anywhere; }
.mm-curve { width: 100%; display: block; cursor: pointer; }
.mm-curve text { font-size: 10.5px; fill: var(--mm-soft); }
.mm-curve .mm-strong { fill: var(--body-text-color); font-weight: 600; }
.mm-end { text-anchor: end; } .mm-middle { text-anchor: middle; }
.mm-line { fill: none; stroke-width: 2; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; stroke: var(--mm-branch); }
.mm-line.mm-mean { stroke: var(--mm-mean); stroke-dasharray: 5 3; }
.mm-moment { fill: var(--mm-moment); }
.mm-axis { stroke: var(--border-color-primary); }
.mm-now { stroke: var(--body-text-color); stroke-width: 1; opacity: 0; }
.mm-playing .mm-now { opacity: .8; }
.mm-key { display: inline-block; width: 1.5em; border-top: 3px solid var(--mm-branch);
  vertical-align: middle; margin: 0 .35em 0 .6em; }
.mm-key.mm-mean { border-top-style: dashed; border-color: var(--mm-mean); }
.mm-labels { display: grid; gap: 16px; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
.mm-row { display: grid; grid-template-columns: 1fr auto; gap: 2px 10px; margin-bottom: 10px;
  color: var(--body-text-color); --mm-class: #2563eb; }
.mm-class1 { --mm-class: #d97706; } .mm-class2 { --mm-class: #059669; }
.mm-class3 { --mm-class: #db2777; } .mm-class4 { --mm-class: #8b5cf6; }
.mm-class5 { --mm-class: #64748b; }
.mm-name { overflow-wrap: anywhere; } .mm-share { font-variant-numeric: tabular-nums; }
.mm-bar, .mm-track { grid-column: 1 / -1; height: 6px; border-radius: 3px; overflow: hidden;
  background: var(--border-color-primary); display: block; }
.mm-bar i, .mm-track i { display: block; height: 100%; background: var(--mm-class); }
.mm-track i { background: var(--mm-branch); transition: width .3s; }
.mm-progress[data-state=done] .mm-track i { background: var(--mm-good); }
.mm-strip { shape-rendering: crispEdges; grid-column: 1 / -1; height: 14px;
  fill: var(--mm-class); border-radius: 3px; outline: 1px solid var(--border-color-primary); }
.mm-times { display: flex; justify-content: space-between; }
.mm-spans { font-size: .88rem; margin-top: .6rem; color: var(--body-text-color);
  font-variant-numeric: tabular-nums; }
.mm-spans p { display: grid; grid-template-columns: 7.5em 1fr auto; gap: .6em; margin: 0;
  padding: .25rem 0; border-top: 1px solid var(--border-color-primary);
  overflow-wrap: anywhere; }
.mm-progress { font-size: .9rem; color: var(--body-text-color); }
.mm-progress p { margin: .1rem 0 .35rem; } .mm-progress details { margin-top: .4rem; }
.mm-progress summary { cursor: pointer; } .mm-progress li { overflow-wrap: anywhere; }
.mm-frames { display: grid; gap: 6px; grid-template-columns: repeat(auto-fill, minmax(78px, 1fr)); }
.mm-frames img { width: 100%; border-radius: 4px; display: block; image-rendering: auto; }
"""

SCRIPT = """
<script>
(() => {
  const parts = video => {
    const card = video.closest('.mm-hit');
    return card ? [...card.querySelectorAll('.mm-curve')] : [];
  };
  document.addEventListener('click', event => {
    const curve = event.target.closest && event.target.closest('.mm-curve');
    const video = curve && curve.closest('.mm-hit').querySelector('video');
    if (!video) return;
    const box = curve.getBoundingClientRect(), of = curve.dataset;
    const share = ((event.clientX - box.left) / box.width - of.left) / (of.right - of.left);
    const at = Math.min(Math.max(share, 0), 1) * of.seconds;
    if (video.dataset.preview) {
      video.dataset.from = at;
      video.src = `${video.dataset.preview}?start=${at.toFixed(2)}&end=${(at + 30).toFixed(2)}`;
    } else {
      video.src = `${video.src.split('#')[0]}#t=${at.toFixed(2)}`;
    }
    video.play().catch(() => {});
  });
  // Gradio hides tabs in a menu where it measures them before their style is there.
  for (const wait of [200, 800, 2000]) setTimeout(() => dispatchEvent(new Event('resize')), wait);
  // A browser holds few connections to a server: one video is loaded at a time.
  document.addEventListener('play', event => {
    for (const other of document.querySelectorAll('video')) {
      if (other === event.target) continue;
      other.pause();
      if (other.networkState === other.NETWORK_LOADING) other.load();
    }
  }, true);
  document.addEventListener('timeupdate', event => {
    const video = event.target, from = Number(video.dataset && video.dataset.from || 0);
    for (const curve of parts(video)) {
      const now = curve.querySelector('.mm-now');
      if (!now) continue;
      const width = curve.viewBox.baseVal.width, of = curve.dataset;
      const done = (from + video.currentTime) / of.seconds;
      const share = Number(of.left) + (of.right - of.left) * done;
      now.setAttribute('x1', share * width);
      now.setAttribute('x2', share * width);
      curve.classList.toggle('mm-playing', video.currentTime > 0);
    }
  }, true);
})();
</script>
"""
