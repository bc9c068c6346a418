
(() => {
  const main = document.querySelector("main");
  const find = (id, within = document) => within.querySelector("#" + id);
  const zoned = () => {
    for (const time of document.querySelectorAll("time")) {
      time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang,
        { dateStyle: "long", timeStyle: "short" });
    }
  };
  const put = (id, next) => {
    const now = find(id), then = find(id, next);
    if (now && then && now.innerHTML !== then.innerHTML) {
      const focused = now.contains(document.activeElement);
      now.innerHTML = then.innerHTML;
      if (focused) (now.querySelector("a, button") || main).focus();
    } else if (now && !then) now.remove();
  };
  const move = (bar, then) => {
    if (!bar || !then) return bar && bar.remove();
    if (then.hasAttribute("value")) bar.value = then.value;
    else bar.removeAttribute("value");
  };
  const show = (next) => {
    const other = next.querySelector("main");
    document.title = next.title;
    main.dataset.state = other.dataset.state;
    main.toggleAttribute("data-open", other.hasAttribute("data-open"));
    move(find("bar"), find("bar", next));
    for (const id of ["name", "state", "about", "count", "facts", "actions"]) put(id, next);
    zoned();
    const file = find("download");
    if (file) {
      find("begun").hidden = false;
      file.click();
    }
  };
  const look = async () => {
    let wait = 1000;
    try {
      const answer = await fetch("?watch", { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.status < 500) {
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!find("state", next)) return location.reload();
        show(next);
      }
      find("lost").hidden = answer.status < 500;
      if (answer.status >= 500) wait = 5000;
    } catch {
      find("lost").hidden = false;
      wait = 5000;
    }
    if (main.hasAttribute("data-open")) setTimeout(look, wait);
  };
  main.tabIndex = -1;
  zoned();
  if (main.hasAttribute("data-open")) setTimeout(look, 1000);
})();
