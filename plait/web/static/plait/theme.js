// In the head, before anything is drawn: the theme of the person, of this browser, or of the system.
(() => {
  const own = document.currentScript.dataset.theme;
  const kept = localStorage.getItem("plait-theme");
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.bsTheme = own || kept || system;
})();
