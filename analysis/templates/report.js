(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const order = ["auto", "light", "dark"];
  const button = document.createElement("button");
  button.className = "theme";
  button.type = "button";
  let theme = Math.max(0, order.indexOf(root.dataset.theme || "auto"));
  const paint = () => {
    button.textContent = "Colours: " + order[theme];
    if (order[theme] === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", order[theme]);
  };
  button.addEventListener("click", () => { theme = (theme + 1) % order.length; paint(); });
  paint();
  document.body.prepend(button);

  const table = document.getElementById("trial-table");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const sorter = document.createElement("button");
    sorter.type = "button";
    sorter.textContent = head.dataset.head = head.textContent;
    head.replaceChildren(sorter);
    sorter.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numeric = head.classList.contains("right");
      const key = (row) => row.cells[column].dataset.sort;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = numeric ? Number(x) - Number(y) : x.localeCompare(y, undefined, { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });

  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      const hit = words.every((word) => text.includes(word));
      row.hidden = !hit;
      count += hit;
    }
    shown.textContent = count + " of " + body.rows.length;
  };
  filter.addEventListener("input", apply);
  apply();

  const reveal = () => {
    const row = document.getElementById(location.hash.slice(1));
    if (!row || row.parentNode !== body || !row.hidden) return;
    filter.value = "";
    apply();
    row.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", reveal);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open], .aside)")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
