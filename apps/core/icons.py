"""The Tabler outline icons that the product uses, and the sprite that holds them.

`python -m apps.core.icons <folder of outline SVGs> <sprite>` rebuilds the sprite; scripts/vendor.sh calls it.
"""

import re
import sys
from pathlib import Path

NAMES = """
activity adjustments adjustments-horizontal alarm alert-circle alert-triangle api apps archive arrow-back-up
arrow-down arrow-down-right arrow-guide arrow-iteration arrow-left arrow-merge arrow-narrow-down arrow-narrow-right
arrow-narrow-up arrow-right arrow-up arrow-up-right arrows-diff arrows-exchange arrows-left-right arrows-maximize
arrows-sort at award badge ballpen ban bell bell-off bolt book bookmark books box braces brackets-contain brain
briefcase bug building bulb calendar calendar-due calendar-event calendar-month calendar-time cash cash-banknote
category chart-area-line chart-bar chart-candle chart-dots chart-histogram chart-line chart-pie check checkbox
checklist checks chevron-down chevron-left chevron-right chevron-up chevrons-down circle circle-arrow-up circle-check
circle-dashed circle-dot circle-dotted circle-half-2 circle-key circle-minus circle-plus circle-x click clipboard
clipboard-check clipboard-list clock clock-hour-4 clock-pause clock-play clock-x cloud cloud-upload code coin coin-off
coins columns columns-2 command copy copy-plus corner-down-left corner-down-right cpu credit-card currency-dollar
currency-euro cursor-text dashboard database database-import device-analytics device-desktop device-floppy
device-laptop door-enter dots dots-vertical download droplet edit equal exclamation-circle external-link eye eye-off
file file-analytics file-certificate file-check file-code file-diff file-dollar file-export file-import file-invoice
file-plus file-search file-spreadsheet file-text file-time file-x files filter filter-off fingerprint flag flag-check
flame flask flask-2 folder folder-open folder-plus folders forms gauge gavel git-branch git-commit git-compare
git-fork git-merge git-pull-request git-pull-request-closed grip-vertical hand-click hand-finger hand-stop hash heart
heart-handshake help help-circle history home hourglass hourglass-high id inbox info-circle invoice json key keyboard
language layers-intersect layout-columns layout-grid layout-kanban layout-list layout-sidebar
layout-sidebar-left-collapse layout-sidebar-right license lifebuoy line link list list-check list-details list-numbers
list-search loader loader-2 lock lock-open login login-2 logout mail mail-check mail-forward mail-opened mail-x
maximize menu-2 message message-2 message-circle message-dots message-plus message-report messages messages-off
microscope minus moneybag mood-empty mood-happy mood-neutral mood-sad moon news note notebook notes number package
paperclip password pencil pencil-check pencil-off pencil-plus percentage photo pin pinned player-pause player-play
player-record player-skip-forward player-stop plug plug-connected plug-connected-x plug-x plus point presentation
progress progress-check progress-x prompt question-mark quote receipt receipt-2 receipt-off receipt-tax refresh
refresh-alert regex reload repeat report report-analytics report-money report-search restore robot rocket rotate
rotate-clockwise route rubber-stamp ruler-2 scale scan search section select send server server-2 settings settings-2
share shield shield-check shield-lock shield-x signature sitemap slash sort-ascending sort-descending sparkles
speakerphone sql square square-check square-plus square-rounded-check square-x stack stack-2 star stars stethoscope
stopwatch subtask sum sun switch-horizontal table tag tags target target-arrow template terminal terminal-2 test-pipe
test-pipe-2 text-caption text-size text-wrap thumb-down thumb-up ticket timeline timeline-event tool tournament
transfer trash trending-down trending-up trophy typography upload user user-check user-circle user-cog user-edit
user-minus user-plus user-question user-search user-shield user-x users users-group variable variable-plus versions
vocabulary wallet wand webhook wifi-off world writing x zoom-exclamation zoom-in zoom-out zoom-question zoom-reset
"""
ICONS = tuple(NAMES.split())
FALLBACK = "help-circle"
_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_FRAME = re.compile(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>')


def build_sprite(source: Path) -> str:
    """Return one SVG of symbols drawn from the folder of outline icons; raises FileNotFoundError for an unknown name."""
    symbols = [_symbol(name, (source / f"{name}.svg").read_text()) for name in sorted(set(ICONS))]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def _symbol(name: str, drawing: str) -> str:
    match = _BODY.search(drawing)
    if match is None:
        raise ValueError(f"{name}.svg holds no <svg> element")
    body = " ".join(_FRAME.sub("", match.group(1)).split())
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" '
        f'stroke-linecap="round" stroke-linejoin="round">{body}</symbol>'
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(build_sprite(Path(sys.argv[1])))
