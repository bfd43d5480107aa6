"""What customers are worth: how often they buy again, what they spend, how long they stay, and how sure that is.

Four models, each fitted by exact likelihood on customers with equal history counted together: BG/NBD and MBG/NBD
(purchases at any time), Gamma-Gamma (money per purchase), BG/BB (purchases at fixed occasions), shifted beta-geometric
(contracts). No prior, no draws: nothing is ever as large as customers times samples.
"""
