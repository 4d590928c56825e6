/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/syscalls/calls.h"

#include <stddef.h>

/*
 * f descriptor           D descriptor of a folder, or AT_FDCWD    s path              b buffer
 * n bytes                o offset                                 i flags             q small number
 * a address of pages     z bytes of memory                        v iovecs            c how many
 * p pollfds              k how many                               S descriptor set    m how many
 * t timespec             T milliseconds                           g signal            P process
 * A socket address       l its length (pointer)                   L its length        M msghdr
 * V strings (argv)       e epoll_event                            F futex             u user
 * x signal set           X sigaction                              r rlimit            I itimerval
 */
#define K(number, letters) [number] = {letters}
const struct call_kinds call_kinds[CALLS_MAX] = {
    K(0, "fbn"),      K(1, "fbn"),      K(2, "siq"),      K(3, "f"),      K(4, "sb"),
    K(5, "fb"),       K(6, "sb"),       K(7, "pkT"),      K(8, "foq"),    K(9, "azqifo"),
    K(10, "azq"),     K(11, "az"),      K(12, "a"),       K(13, "gXbq"),  K(14, "qxbq"),
    K(15, ""),        K(16, "fib"),     K(17, "fbno"),    K(18, "fbno"),  K(19, "fvc"),
    K(20, "fvc"),     K(21, "sq"),      K(22, "b"),       K(23, "mSSSt"), K(24, ""),
    K(25, "azzqa"),   K(26, "azq"),     K(27, "azb"),     K(28, "azq"),   K(32, "f"),
    K(33, "ff"),      K(34, ""),        K(35, "tb"),      K(36, "qb"),    K(37, "q"),
    K(38, "qIb"),     K(39, ""),        K(40, "ffbn"),    K(41, "qqq"),   K(42, "fAL"),
    K(43, "fbl"),     K(44, "fbniAL"),  K(45, "fbnibl"),  K(46, "fMi"),   K(47, "fMi"),
    K(48, "fq"),      K(49, "fAL"),     K(50, "fq"),      K(51, "fbl"),   K(52, "fbl"),
    K(53, "qqqb"),    K(54, "fqqbL"),   K(55, "fqqbl"),   K(56, "ibbbb"), K(57, ""),
    K(58, ""),        K(59, "sVV"),     K(60, "q"),       K(61, "Pbqb"),  K(62, "Pg"),
    K(63, "b"),       K(72, "fqb"),     K(73, "fq"),      K(74, "f"),     K(75, "f"),
    K(76, "so"),      K(77, "fo"),      K(78, "fbn"),     K(79, "bn"),    K(80, "s"),
    K(81, "f"),       K(82, "ss"),      K(83, "sq"),      K(84, "s"),     K(85, "sq"),
    K(86, "ss"),      K(87, "s"),       K(88, "ss"),      K(89, "sbn"),   K(90, "sq"),
    K(91, "fq"),      K(92, "suu"),     K(93, "fuu"),     K(94, "suu"),   K(95, "q"),
    K(96, "bb"),      K(97, "qb"),      K(98, "qb"),      K(99, "b"),     K(100, "b"),
    K(102, ""),       K(103, "qbn"),    K(104, ""),       K(105, "u"),    K(106, "u"),
    K(107, ""),       K(108, ""),       K(109, "PP"),     K(110, ""),     K(111, ""),
    K(112, ""),       K(113, "uu"),     K(114, "uu"),     K(115, "nb"),   K(116, "nb"),
    K(117, "uuu"),    K(118, "bbb"),    K(119, "uuu"),    K(120, "bbb"),  K(121, "P"),
    K(124, "P"),      K(127, "bq"),     K(128, "xbtq"),   K(130, "xq"),   K(131, "bb"),
    K(132, "sb"),     K(133, "sqi"),    K(137, "sb"),     K(138, "fb"),   K(140, "qP"),
    K(141, "qPq"),    K(157, "qbbbb"),  K(158, "ib"),     K(160, "qr"),   K(161, "s"),
    K(162, ""),       K(164, "bb"),     K(165, "sssib"),  K(166, "si"),   K(169, "iiib"),
    K(170, "bn"),     K(186, ""),       K(191, "ssbn"),   K(192, "ssbn"), K(193, "fsbn"),
    K(194, "sbn"),    K(195, "sbn"),    K(196, "fbn"),    K(200, "Pg"),   K(201, "b"),
    K(202, "FqqtFq"), K(203, "Pnb"),    K(204, "Pnb"),    K(213, "q"),    K(217, "fbn"),
    K(218, "b"),      K(219, ""),       K(221, "fonq"),   K(227, "qt"),   K(228, "qb"),
    K(229, "qb"),     K(230, "qqtb"),   K(231, "q"),      K(232, "fbkT"), K(233, "fqfe"),
    K(234, "PPg"),    K(235, "sb"),     K(247, "qPbqb"),  K(257, "Dsiq"), K(258, "Dsq"),
    K(259, "Dsqi"),   K(260, "Dsuuq"),  K(261, "Dsb"),    K(262, "Dsbi"), K(263, "Dsi"),
    K(264, "DsDs"),   K(265, "DsDsi"),  K(266, "sDs"),    K(267, "Dsbn"), K(268, "Dsq"),
    K(269, "Dsq"),    K(270, "mSSStb"), K(271, "pktxq"),  K(273, "bn"),   K(274, "Pbb"),
    K(280, "Dsti"),   K(281, "fbkTxq"), K(285, "fqoo"),   K(288, "fbli"), K(290, "qi"),
    K(291, "i"),      K(292, "ffi"),    K(293, "bi"),     K(295, "fvco"), K(296, "fvco"),
    K(302, "Pqrb"),   K(306, "f"),      K(316, "DsDsq"),  K(318, "bnq"),  K(332, "Dsiqb"),
    K(334, "bnqi"),   K(439, "Dsqi"),   K(441, "fbktxq"),
};

const char *const call_names[CALLS_MAX] = {
#include "syscall_names.h"
};
