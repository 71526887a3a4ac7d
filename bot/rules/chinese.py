"""Chinese words of rules and the words that stand for them, and numbers in Chinese signs."""

from __future__ import annotations

import re
from collections.abc import Mapping


def _each(*rows: tuple[str, str]) -> Mapping[str, str]:
    """Read rows of Chinese words, with spaces between them, and of the words that stand for them."""
    return {word: meant for words, meant in rows for word in words.split()}


WORDS = _each(
    ("比特币 大饼", "btc"),
    ("以太坊 以太币 以太 二饼", "eth"),
    ("狗狗币", "doge"),
    ("瑞波币", "xrp"),
    ("莱特币", "ltc"),
    ("索拉纳", "sol"),
    ("币安币", "bnb"),
    ("黄金", "gold"),
    ("白银", "silver"),
    ("原油", "oil"),
    ("标普500 标普", "spx"),
    ("纳斯达克100 纳斯达克 纳指100 纳指", "ndx"),
    ("美元指数", "dxy"),
    ("恐慌指数", "vix"),
    ("美债收益率 十年期美债", "us10y"),
    # --- what happens to a price
    ("跌破 跌穿 失守", "falls below"),
    ("突破 涨破 升破 站上", "breaks above"),
    ("低于 小于 少于", "below"),
    ("高于 大于 多于 超过", "above"),
    ("不低于 不小于 不少于 大于等于 至少", "at least"),
    ("不高于 不大于 不超过 小于等于 至多", "at most"),
    ("以上 之上 上方", "above"),
    ("以下 之下 下方", "below"),
    ("上穿", "crosses above"),
    ("下穿", "crosses below"),
    ("达到 到达 到", "reaches"),
    ("触及 碰到", "hits"),
    ("跌到 跌至", "drops to"),
    ("涨到 涨至", "rises to"),
    ("上涨 大涨 暴涨 拉升 涨幅 涨", "up"),
    ("下跌 大跌 暴跌 跳水 跌幅 跌", "down"),
    ("涨跌幅 涨跌 波动 振幅", "moves"),
    ("每", "every"),
    ("进入", "enters"),
    ("离开", "leaves"),
    ("之间", "between"),
    ("创历史新高 历史新高 历史最高 创新高", "ath"),
    ("创历史新低 历史新低 历史最低 创新低", "atl"),
    ("新高 最高", "high"),
    ("新低 最低", "low"),
    # --- what is measured
    ("连续", "consecutive"),
    ("净流入", "net inflow"),
    ("净流出", "net outflow"),
    ("流入", "inflow"),
    ("流出", "outflow"),
    ("净流量", "net flow"),
    ("个交易日", "sessions"),
    ("资金费率 费率", "funding"),
    ("持仓量 未平仓量", "open interest"),
    ("多头占比 多头比例", "longs share"),
    ("全网爆仓额 全网爆仓量 全网爆仓", "all liquidations"),
    ("爆仓额 爆仓量 爆仓", "liquidations"),
    ("期货溢价", "futures premium"),
    ("基差", "basis"),
    ("恐惧与贪婪指数 恐惧贪婪指数 恐慌与贪婪指数 恐慌贪婪指数 恐贪指数", "fear greed index"),
    ("稳定币供应量 稳定币总量", "stablecoin supply"),
    ("交易所稳定币", "exchange stablecoins"),
    ("算力", "hashrate"),
    ("降息概率", "rate cut odds"),
    ("成交量 交易量", "volume"),
    ("均线 移动平均线", "ma"),
    ("均量 均值 平均", "average"),
    ("收盘价 收盘", "close"),
    ("开盘价", "open"),
    ("回撤", "drawdown"),
    ("价格", "price"),
    # --- how it is put together
    ("并且 而且 同时 且 和", "and"),
    ("或者 或", "or"),
    ("持续 维持 保持", "for"),
    ("内", "in"),
    # --- options
    ("仅一次 只一次 一次", "once"),
    ("重复 每次", "repeat"),
    ("冷却", "cooldown"),
    ("直到 截至", "until"),
    ("紧急", "urgent"),
    ("备注", "note"),
    # --- what adds nothing
    ("美元 美金 刀", "dollars"),
    ("请 帮我 麻烦 当 如果 只要 的时候 时候 时 就 了 的 在 已 一下 。", ""),
    ("提醒我们 提醒我 通知我 告诉我 叫我 喊我 提醒", ""),
)
"""Words written without spaces, and the words that stand for them: none for what adds nothing."""

EXAMPLES: Mapping[str, str] = {
    "btc < 100k": "btc 跌破 10万",
    "btc < $100k": "btc 跌破 10万",
    "98k < btc < 105k": "btc 高于 9.8万 并且 低于 10.5万",
    "btc enters 98k .. 105k": "btc 在 9.8万 和 10.5万 之间",
    "btc moves 5% in 1h": "btc 1小时涨跌5%",
    "btc every 2% down": "btc 每跌2%",
    "btc > 100k for 4h": "btc 高于 10万 持续4小时",
    "btc rsi 4h < 30": "btc 4小时 rsi 低于 30",
    "cooldown 4h": "冷却 4小时",
    "for 4h": "持续 4小时",
    "until 2026-12-31": "直到 2026-12-31",
    'note "cut the long"': '备注 "止损"',
    'btc < 100k note "cut the long"': 'btc 跌破 10万 备注 "止损"',
}
"""What is shown to whoever types in Chinese, by the example that it stands for."""

_DIGITS = {sign: count for count, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_NUMBER = re.compile(
    r"(?P<tens>[一二三四五六七八九]?十)?(?P<ones>[一二两三四五六七八九])?"
    r"(?=万|亿|%|个?小时|个交易日|分钟|天|日|周|星期|倍)"
)


def digits(text: str) -> dict[int, tuple[int, str]]:
    """Find the numbers in Chinese signs up to 99 that count something: where each ends, and its digits."""
    found = {}
    for match in _NUMBER.finditer(text):
        tens, ones = match["tens"], match["ones"]
        if match.group():
            count = (_DIGITS.get(tens[:-1], 1) * 10 if tens else 0) + (_DIGITS[ones] if ones else 0)
            found[match.start()] = match.end(), str(count)
    return found
