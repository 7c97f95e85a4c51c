"""The page's policy: what may not run in it does not, and nothing is fetched from anywhere else."""

from collections.abc import Callable

import pytest
from visit import Visit

ELSEWHERE = "https://elsewhere.invalid"
TRUSTED_TYPES = "require-trusted-types-for"
"""Comes first, and refuses most strings."""
_TRY = """async () => {
  const violated = new Promise(resolve => {
    document.addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective));
    setTimeout(() => resolve("nothing was refused"), 20_000);
  });
  window.ran = false;
  // Later, so that nothing of the caller's own rights is left.
  await new Promise(resolve => setTimeout(resolve));
  try {
    await (%s)();
  } catch {
    // What is refused may throw as well.
  }
  return [await violated, window.ran];
}"""
_INLINE = """() => {
  const script = document.createElement("script");
  script.append("window.ran = true");
  document.body.append(script);
}"""
_HANDLER = """() => {
  document.body.setAttribute("onclick", "window.ran = true");
  document.body.click();
}"""
_IMAGE = f"""() => new Promise(resolve => {{
  const image = new Image();
  image.onerror = resolve;
  image.src = "{ELSEWHERE}/cat.png";
}})"""
_STYLE = """() => {
  const style = document.createElement("style");
  style.textContent = "body { display: none }";
  document.head.append(style);
}"""
_FRAME = f"""() => {{
  const frame = document.createElement("iframe");
  frame.src = "{ELSEWHERE}/";
  document.body.append(frame);
}}"""
_MARKUP = """() => { document.body.innerHTML = '<img src="x" onerror="window.ran = true">'; }"""
_POLICY = """() => trustedTypes.createPolicy("mine", { createHTML: text => text })"""

_SCRIPT = f"""() => {{
  const script = document.createElement("script");
  script.src = "{ELSEWHERE}/a.js";
  document.head.append(script);
}}"""
_STYLE_SHEET = f"""() => {{
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = "{ELSEWHERE}/a.css";
  document.head.append(link);
}}"""
_FORM = f"""() => {{
  const form = document.createElement("form");
  form.action = "{ELSEWHERE}/";
  form.method = "post";
  document.body.append(form);
  form.submit();
}}"""
_FONT = f"""() => new FontFace("theirs", "url({ELSEWHERE}/a.woff2)").load()"""
_SOUND = f"""() => new Audio("{ELSEWHERE}/a.mp3").play()"""
_OBJECT = f"""() => {{
  const object = document.createElement("object");
  object.data = "{ELSEWHERE}/a.pdf";
  document.body.append(object);
}}"""
_BASE = f"""() => {{
  const base = document.createElement("base");
  base.href = "{ELSEWHERE}/";
  document.head.append(base);
  if (document.baseURI.startsWith("{ELSEWHERE}")) window.ran = true;
}}"""
_WORKER = """() => {
  const source = URL.createObjectURL(new Blob(["postMessage(1)"], { type: "text/javascript" }));
  new Worker(source).onmessage = () => { window.ran = true; };
}"""

ATTEMPTS = {
    "an inline script": (_INLINE, "script-src-elem"),
    "a handler in an attribute": (_HANDLER, "script-src-attr"),
    "eval": ("() => eval('window.ran = true')", "script-src"),
    "a string as a timer": ("() => setTimeout('window.ran = true')", "script-src"),
    "a fetch elsewhere": (f"() => fetch('{ELSEWHERE}/v1/search')", "connect-src"),
    "a beacon elsewhere": (f"() => navigator.sendBeacon('{ELSEWHERE}/', 'x')", "connect-src"),
    "an event stream elsewhere": (f"() => new EventSource('{ELSEWHERE}/')", "connect-src"),
    "a socket elsewhere": (
        f"() => {{ new WebSocket('{ELSEWHERE.replace('https', 'wss')}/'); }}",
        "connect-src",
    ),
    "a script from elsewhere": (_SCRIPT, "script-src-elem"),
    "a module from elsewhere": (f"() => import('{ELSEWHERE}/a.js')", "script-src-elem"),
    "a worker from memory": (_WORKER, "worker-src"),
    "a picture elsewhere": (_IMAGE, "img-src"),
    "a style sheet from elsewhere": (_STYLE_SHEET, "style-src-elem"),
    "a font from elsewhere": (_FONT, "font-src"),
    "a sound from elsewhere": (_SOUND, "media-src"),
    "an object from elsewhere": (_OBJECT, "object-src"),
    "a form that goes elsewhere": (_FORM, "form-action"),
    "another base": (_BASE, "base-uri"),
    "a style of its own": (_STYLE, "style-src-elem"),
    "a frame": (_FRAME, "frame-src"),
    "markup from a string": (_MARKUP, TRUSTED_TYPES),
    "a policy of its own": (_POLICY, "trusted-types"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_a_page_must_not_do_is_refused(
    visit: Callable[..., Visit], page_files: str, attempt: str
) -> None:
    script, directive = ATTEMPTS[attempt]
    visited = visit(page_files).open()

    refused, ran = visited.page.evaluate(_TRY % script)

    assert not ran
    assert refused in (directive, TRUSTED_TYPES)
    assert visited.record.outside() == []
    visited.record.faults.clear()


@pytest.mark.parametrize("path", ["/", "/web/app.js"])
def test_no_other_site_may_frame_or_guess(visit: Callable[..., Visit], page_files: str, path: str) -> None:
    answer = visit(page_files).page.request.get(path)

    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
