(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", function () {
    var now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  document.getElementById("bad").addEventListener("change", function (event) {
    document.body.classList.toggle("only-bad", event.target.checked);
  });
  function openTarget() {
    var suite = document.getElementById(location.hash.slice(1));
    if (suite && suite.tagName === "DETAILS") suite.open = true;
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
})();
