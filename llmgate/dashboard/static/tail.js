// Follows the newest requests: fetches this page again every two seconds while it is visible.
const tail = document.getElementById("tail");
if (tail) {
  let timer = 0;
  tail.hidden = false;
  const refresh = async () => {
    if (document.hidden) return;
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) { toggle(); return; }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const rows = page.getElementById("rows");
    if (rows) document.getElementById("rows").replaceChildren(...rows.childNodes);
  };
  const toggle = () => {
    clearInterval(timer);
    timer = timer ? 0 : setInterval(refresh, 2000);
    tail.setAttribute("aria-pressed", String(Boolean(timer)));
    tail.textContent = timer ? "Stop following" : "Follow live";
    if (timer) refresh();
  };
  tail.addEventListener("click", toggle);
}
